// Changes that somebody made on the side that did not own: switchyard.breach. The mirror has taken
// them, for it has to stay true; what is computed of them was withheld from the target.
//
//   none --AddBreaches--> open --CloseBreach--> applied, undone
//
// What an entry keeps of a row is computed where the row stands, in a stage, by SQL of the
// caller's. Within the caller's transaction, all of it that writes. Thread safety: functions over a
// session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

enum class BreachState { kOpen, kApplied, kUndone };
std::string_view ToString(BreachState state);

struct Breach {
  int64_t id = 0;
  Lsn lsn;                // its commit, or the last of those that were read together
  std::string source;     // schema.name of the table it was made in
  std::string operation;  // insert, update, delete, truncate
  std::string key;        // JSON, as are both of these; empty: there is none
  std::string before;     // as the mirror had it; empty, too, where there is no mirror
  std::string after;
  absl::Time seen;
};

// Of the rows of a stage, known as sy_s.
struct BreachRowsSql {
  std::string rows;  // FROM
  std::string key;   // jsonb each
  std::string before;
  std::string after;
};

absl::Status AddBreaches(const pg::Sql& sql, const std::string& stream, const std::string& source,
                         Lsn lsn, const BreachRowsSql& rows);
// The table was emptied by TRUNCATE.
absl::Status AddTruncateBreach(const pg::Sql& sql, const std::string& stream,
                               const std::string& source, Lsn lsn);
// Those that are open; 0 in a target that an older program set up.
absl::StatusOr<int64_t> CountBreaches(const pg::Sql& sql, const std::string& stream);
absl::StatusOr<std::vector<Breach>> OpenBreaches(const pg::Sql& sql, const std::string& stream,
                                                 int64_t limit);
absl::StatusOr<std::optional<Breach>> FindOpenBreach(const pg::Sql& sql, const std::string& stream,
                                                     int64_t id);
// NotFound: none of that id is open.
absl::Status CloseBreach(const pg::Sql& sql, const std::string& stream, int64_t id,
                         BreachState state);

}  // namespace switchyard::records
