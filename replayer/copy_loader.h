// The initial copy: from the copy topic into mirrors and row-local targets, then the keyed
// mappings as a whole. Progress and the topic's offset commit together with the rows.
//
//   CopyLoader loader(target, plan, options);
//   while (!loader.complete()) { ... RETURN_IF_ERROR(loader.Add(event, next_offset)); }
//   RETURN_IF_ERROR(loader.Finish());
//
// Thread-compatible.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "proto/event.pb.h"
#include "replayer/pg_target.h"

namespace switchyard::replayer {

struct CopyLoaderOptions {
  std::string stream;
  // Run by Finish once the derived tables are full: a name for people, and the SQL.
  std::vector<std::pair<std::string, std::string>> after_copy;
  int64_t transaction_bytes_max = int64_t{32} << 20;
};

class CopyLoader {
 public:
  CopyLoader(PgTarget& target, const mapping::Plan& plan, CopyLoaderOptions options);

  // Reads what was loaded before; after PgTarget::Open.
  absl::Status Start();
  // Next record of the copy topic to read.
  int64_t next_offset() const { return next_offset_; }
  // Every table of the plan is loaded.
  bool complete() const;

  // Loads one event. DataLoss: rows are missing on the log.
  absl::Status Add(const event::v1::Event& event, int64_t next_offset);
  // Commits what is loaded so far: when no more events wait.
  absl::Status Commit();

  // Indexes and statistics of the mirrors, the keyed mappings in graph order, and the stream's
  // start: at the smallest copy point, catching up until the largest.
  absl::Status Finish();

 private:
  struct TableProgress {
    uint64_t generation = 0;
    Lsn lsn;
    bool done = false;
    int64_t rows = 0;
    int64_t bytes = 0;
  };

  const mapping::SourcePlan* SourceOf(uint32_t relation_id) const;  // null: not mapped
  absl::Status OnPoint(const event::v1::CopyPoint& point);
  absl::Status OnChunk(const event::v1::CopyChunk& chunk);
  absl::Status OnEnd(const event::v1::CopyEnd& end);
  absl::Status BeginIfNeeded();
  absl::Status OpenRoute(uint32_t relation_id, const event::v1::Relation& relation);
  absl::Status Discard(uint32_t relation_id);
  absl::Status InsertLoaded();
  absl::Status Derive();
  absl::Status SaveProgress(uint32_t relation_id);

  std::map<uint32_t, uint32_t> roots_;  // by relation: its partitioned root, 0 if none

  // How the chunks of one relation reach their tables.
  struct Route {
    int source = -1;
    std::string direct;                     // COPY straight into the only table that takes the rows
    std::string load_copy;                  // else COPY into a temporary table of the whole row,
    std::vector<std::string> load_inserts;  // from where these take what they need
    std::string load_table;
  };

  PgTarget& target_;
  const mapping::Plan& plan_;
  const CopyLoaderOptions options_;
  int64_t next_offset_ = 0;
  int64_t committed_offset_ = 0;  // copy_offset as the target has it
  std::map<uint32_t, TableProgress> progress_;
  std::map<uint32_t, Route> routes_;
  bool in_transaction_ = false;
  int64_t transaction_bytes_ = 0;
  std::set<uint32_t> changed_;  // relations whose progress row is to be written
  std::set<uint32_t> waiting_;  // relations with rows in their load table
};

}  // namespace switchyard::replayer
