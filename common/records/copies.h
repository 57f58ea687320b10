// The tables of the source that a stream copied, as of when, and how far that is: switchyard.copy,
// a row for each table, or for each leaf of a partitioned one.
//
//   none, loading, loaded, gone --Begin--> loading --End--> loaded
//   loading, loaded, gone --BeginAgain--> loading      any --LeaveOut--> gone
//   loaded --NoteGone--> gone --NoteFound--> loaded    any --Forget--> none
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"
#include "proto/event.pb.h"

namespace switchyard::records {

enum class CopyState {
  kLoading,
  kLoaded,
  kGone,  // a partition that the newest copy of its table did not find
};

struct Copy {
  uint32_t relation_id = 0;
  std::string table;  // schema.name
  uint64_t generation = 0;
  Lsn lsn;  // as of this point
  CopyState state = CopyState::kLoading;
  int64_t rows = 0;
  int64_t bytes = 0;
  std::optional<int64_t> rows_estimate;  // of the whole
  std::optional<int64_t> bytes_estimate;
  absl::Time started;
  std::optional<absl::Time> finished;
  absl::Duration worked;  // for how long rows of it were being loaded, and not others alone
};

struct CopyPoints {
  Lsn first;
  Lsn last;
};

class Copies {
 public:
  Copies(pg::Sql sql, std::string stream) : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // The largest first.
  absl::StatusOr<std::vector<Copy>> All();
  // By relation; those of a first copy: a re-copy leaves them.
  absl::StatusOr<std::map<uint32_t, Lsn>> Points();
  // The smallest and the largest; 0/0 when there is none.
  absl::StatusOr<CopyPoints> Range();
  // Of these relations, without those that are gone.
  absl::StatusOr<std::optional<Lsn>> OldestPoint(const std::vector<uint32_t>& relation_ids);
  // Whether each of these relations, and there are some, is loaded as of `seen` or later.
  absl::StatusOr<bool> AreLoadedSince(const std::vector<uint32_t>& relation_ids, Lsn seen);
  // The source's clock at a point, where it is known.
  absl::StatusOr<std::optional<absl::Time>> ClockAt(Lsn point);

  absl::Status Begin(const event::v1::CopyPoint& point);
  // As of the point that it has.
  absl::Status BeginAgain(uint32_t relation_id);
  // More of it is in, by a transaction that began with it.
  absl::Status AddLoaded(uint32_t relation_id, int64_t rows, int64_t bytes);
  // How many rows are in; 0 when there is no such copy.
  absl::StatusOr<int64_t> End(uint32_t relation_id);
  // A partition of `table` that its copy at `point` did not find.
  absl::Status LeaveOut(uint32_t relation_id, const std::string& table, Lsn point);
  // As a re-copy found it; whether that was new.
  absl::StatusOr<bool> NoteGone(uint32_t relation_id);
  absl::StatusOr<bool> NoteFound(uint32_t relation_id);
  absl::Status Forget();

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
