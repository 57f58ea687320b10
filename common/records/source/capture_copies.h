// The copy of each table, as capture makes it: switchyard.capture_copy, in the source.
//
//   none, any --Ask--> pending --Begin--> copying --Note(done)--> done
//
// Each Begin is a generation: what a former one still reports changes nothing. A partition that
// joined is copied by itself; where a leaf has to begin again, all leaves of its table do.
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/finding.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"
#include "common/records/source/captured_tables.h"
#include "proto/event.pb.h"

namespace switchyard::records {

// One table to copy, or being copied.
struct CaptureCopy {
  uint32_t relation_id = 0;
  std::string schema, name;
  uint64_t generation = 0;  // of the last copy begun; 0 before the first
  bool recopy = false;
  uint32_t root_id = 0;  // topmost partitioned table; 0: no partition
  // All there is of its table is unfinished: not a partition that joined others.
  bool whole = true;
  int64_t rows_estimate = -1;
  int64_t bytes_estimate = 0;
};

struct CopyProgress {
  uint32_t relation_id = 0;
  uint64_t generation = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
  bool done = false;
  Finding waits;  // for a lock: begins with kWaitsForLock; empty: it does not
};
inline constexpr char kWaitsForLock[] = "it waits for a lock: ";

// A copy as `status` shows it.
struct CopyStanding {
  int64_t relation_id = 0;
  std::string table;  // "schema.name"
  std::string root;   // the table that people know: a leaf's root, or itself
  bool recopy = false;
  std::string state;           // pending, copying, done
  int64_t rows_estimate = -1;  // -1: unknown; of bytes as well
  int64_t bytes_estimate = -1;
  int64_t rows = 0;
  int64_t bytes = 0;
  Finding error;  // why the last attempt failed; empty: it did not
};

enum class CopyKind { kFirst, kAgain };

class CaptureCopies {
 public:
  static constexpr char kTable[] = "capture_copy";

  CaptureCopies(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // One that is under way is begun again. A table whose first copy never ended is still part of
  // the initial copy.
  absl::Status Ask(const std::vector<LeafTable>& tables, CopyKind kind) const;
  // Begins the next generation of each at `lsn`; sets `generation` in the records.
  absl::Status Begin(Lsn lsn, std::vector<CaptureCopy>* copies) const;
  absl::Status Note(const std::vector<CopyProgress>& progress) const;
  absl::Status NoteError(uint32_t relation_id, const Finding& error) const;

  // The records of tables that are not among `shapes` any more are of tables that are gone.
  absl::Status ForgetOthers(const TableShapes& shapes) const;
  // So are those of these tables. A record stays for its generation.
  absl::Status Forget(const std::vector<uint32_t>& relation_ids) const;

  // Those not done, those that failed before the others, then the largest first. All leaves of a
  // table begin again with one of them: a reader can't tell the rows of one from another's, and all
  // are to be as of one point.
  absl::StatusOr<std::vector<CaptureCopy>> TakeUnfinished() const;
  // The newest copy of each table that has one, and whose rows are all on the log.
  absl::StatusOr<std::vector<event::v1::FinishedCopy>> Finished() const;
  // All, the largest first.
  absl::StatusOr<std::vector<CopyStanding>> All() const;

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

// SQL: the rows of the first copy of `stream`, an expression, that are not done.
std::string UnfinishedFirstCopySql(std::string_view stream);

}  // namespace switchyard::records
