// One of the connections that load the chunks of a copy side by side.
//
// Chunk k of the copy topic (by its offset) belongs to lane k modulo their number. A lane's rows,
// the counts of the copy (records/copies.h) and the lane's own place (records/copy_lanes.h) commit
// together, so each chunk is loaded once, whatever is killed when. The lanes know no order among
// each other: the loader drains them around every event that is not a chunk.
//
// Where a table takes the text of a chunk as it is, it goes there by COPY. Once it refuses a row of
// it, what the transaction had is loaded again, with that relation by way of a load table, from
// which the rows are written that fit; the others are put in quarantine.
//
// Push, Flush and status are the loader's; the rest runs on the lane's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/wait/bounded_queue.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "common/records/mark.h"
#include "proto/event.pb.h"
#include "replayer/target/quarantine/quarantine.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

struct CopyLaneOptions {
  std::string stream;
  int lane = 0;
  int64_t next_offset = 0;             // as the target has it
  std::optional<int64_t> owner_epoch;  // under which its writer's row was claimed (mark.h)
  QuarantineOptions quarantine;
  // By mapping: its rows wait in a held table (held_copy.h).
  std::vector<bool> held;
  int64_t transaction_bytes_max = 0;
};

struct CopyPiece {
  mapping::SourceIndex source;  // of the plan
  uint64_t generation = 0;
  Lsn lsn;                                        // what the table is copied as of
  const event::v1::Relation* relation = nullptr;  // stays as it is until the lane is flushed
  int64_t offset = 0;
  std::string data;  // COPY text
};

class CopyLane {
 public:
  CopyLane(CopyLaneOptions options, const mapping::Plan& plan,
           std::unique_ptr<pg::Session> session);
  // What is not committed is given up.
  ~CopyLane();

  // One past the last chunk taken.
  int64_t next_offset() const { return next_offset_; }
  // Only while flushed, with nothing pushed since: the target has this place, too.
  void MoveTo(int64_t offset);
  // Waits for room; the lane's error when it ended.
  absl::Status Push(CopyPiece piece);
  // Asks for a commit of all that was pushed, and waits for it.
  void RequestFlush();
  absl::Status AwaitFlush();

 private:
  struct Take {
    std::string sql;                // INSERT of the load table's rows
    mapping::MappingIndex mapping;  // whose table may refuse them; none: a mirror or held table
  };
  // How the chunks of one relation reach their tables.
  struct Route {
    mapping::SourceIndex source;
    uint64_t generation = 0;
    Lsn lsn;
    std::string direct;       // COPY straight into the only table that takes the rows
    std::string load_table;   // else a temporary one of the whole row, quoted,
    std::vector<Take> takes;  // from where these take what they need
  };
  struct Loaded {
    int64_t rows = 0;
    int64_t bytes = 0;
  };

  void Run();
  absl::Status Load(CopyPiece piece);
  absl::Status LoadPiece(const CopyPiece& piece);
  absl::Status LoadAgain();
  absl::Status OpenRoute(const CopyPiece& piece);
  absl::Status OpenLoadTable(const CopyPiece& piece, Route* route);
  absl::Status BeginIfNeeded();
  absl::Status CheckUnhindered();
  absl::Status Commit();
  absl::Status InsertLoaded();
  absl::Status InsertFrom(const Route& route, const Take& take);

  const CopyLaneOptions options_;
  const mapping::Plan& plan_;
  int64_t next_offset_;  // of the loader's thread

  // Of the lane's thread.
  const std::unique_ptr<pg::Session> session_;
  records::Gate gate_;
  int64_t loaded_offset_;     // one past the last chunk loaded
  int64_t committed_offset_;  // as the target has it
  Stage stage_;
  TableWriter writer_;
  Quarantine quarantine_;
  std::map<uint32_t, Route> routes_;
  std::set<uint32_t> refused_;         // relations whose table refused a row: no longer direct
  std::vector<CopyPiece> pieces_;      // of the open transaction
  std::map<uint32_t, Loaded> loaded_;  // by relation, in the open transaction
  std::set<uint32_t> waiting_;         // relations with rows in their load table
  bool looked_ = false;                // for what hinders
  bool in_transaction_ = false;
  int64_t transaction_bytes_ = 0;

  mutable Mutex mu_;
  CondVar changed_;
  int64_t asked_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t flushed_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  BoundedQueue<CopyPiece> queue_;  // a piece without a relation asks for a flush
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace switchyard::replayer
