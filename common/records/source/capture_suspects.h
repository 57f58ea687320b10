// Tables that changed in a way the stream can't show: switchyard.capture_suspect, in the source. A
// row is open until the target has a copy of the table that is as of seen_lsn or later (which the
// target knows), or until it is cleared here: the table has its name again, or nobody maps it.
//
//   none --Note--> open --Note (its name is back), Forget, ClearSuspectsSql--> cleared
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

// Begins the reason of a table that has another name than the mapping says. No copy settles it.
inline constexpr char kRenamedTo[] = "renamed to ";

// Is in the next step of a table whose columns or types are not those that the mapping was compiled
// for. A parity pass, which goes by that mapping, does not settle it.
inline constexpr char kResumeStep[] = "run: switchyard resume FILE";

// One table that changed in a way the stream does not show.
struct Drift {
  uint32_t relation_id = 0;  // the mapped table: a leaf's root
  std::string schema, name;
  std::string reason;  // "rewritten (file 16401 became 16420)"
  std::string next_step;
  std::string renamed_to;  // when that is what happened
};

// One that is open.
struct OpenSuspect {
  std::string table;  // "schema.name"
  std::string reason, next_step;
  Lsn seen;                      // it happened before this point
  std::vector<uint32_t> leaves;  // tables that hold its rows
};

class CaptureSuspects {
 public:
  static constexpr char kTable[] = "capture_suspect";

  CaptureSuspects(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // Makes tables suspect. What is suspect already for the same reason is suspect as of now; a table
  // that has an earlier name again is no longer suspect of what came after.
  absl::Status Note(const std::vector<Drift>& drifts) const;
  // Clears those of tables that are not `kept`, and of names that the mapping has taken over.
  absl::Status Forget(const std::vector<uint32_t>& kept) const;

  // In the order they were seen.
  absl::StatusOr<std::vector<OpenSuspect>> Open() const;
  // When one whose reason ends so was last seen, cleared or not; 0/0: never.
  absl::StatusOr<Lsn> LastSeen(const std::vector<std::string>& endings) const;

 private:
  absl::StatusOr<bool> ClearRenames(const Drift& drift) const;

  const pg::Sql sql_;
  const std::string stream_;
};

// SQL: clears all of `stream`, an expression; for a WITH.
std::string ClearSuspectsSql(std::string_view stream);

}  // namespace switchyard::records
