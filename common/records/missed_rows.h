// Rows that were to be changed and were not there: switchyard.missed_rows. Something else writes to
// the target, or a copy was incomplete; the table is not to be trusted until it is copied again.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

struct MissedRows {
  std::string source;  // schema.name of the source's table
  std::string table;   // of the target or its mirror: where they were not
  int64_t rows = 0;
  Lsn first_lsn, last_lsn;  // commits of the source
};

// Adds to what is known of the two tables; within the caller's transaction, that of the changes.
absl::Status AddMissedRows(const pg::Sql& sql, const std::string& stream, const MissedRows& missed);
// The source's table was copied again; within the transaction of the swap.
absl::Status ForgetMissedRows(const pg::Sql& sql, const std::string& stream,
                              const std::string& source);
absl::Status ForgetAllMissedRows(const pg::Sql& sql, const std::string& stream);
// None in a target that an older program set up.
absl::StatusOr<std::vector<MissedRows>> LoadMissedRows(const pg::Sql& sql,
                                                       const std::string& stream);

}  // namespace switchyard::records
