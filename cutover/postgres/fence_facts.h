// What the fence of one database looks like, for `check`, for every look at drift and for the last
// look before it closes.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/finding.h"
#include "common/pg/rows.h"

namespace switchyard::cutover {

// What is not as it must be for the fence to hold, each with its remedy: a mapped table or
// partition without its triggers, a function that is not the owner's or was changed by hand,
// triggers of a closed side that don't fire always, a login that may not pass. `tables`: the mapped
// ones, each as a statement names it.
absl::StatusOr<std::vector<Finding>> FindFenceFaults(const pg::Sql& sql,
                                                     const std::string& migration,
                                                     const std::vector<std::string>& tables);

// Changes with everything that was done to its triggers and functions, also where it was undone
// again (DISABLE and ENABLE TRIGGER ALL): oid and xmin of each, how it fires. Equal: nothing was.
absl::StatusOr<std::string> FenceFingerprint(const pg::Sql& sql, const std::string& migration);

// Writes that the fence refused since it was set up.
absl::StatusOr<int64_t> RefusedWrites(const pg::Sql& sql, const std::string& migration);

struct FencedTable {
  uint32_t oid = 0;
  std::string name;  // schema.name
};
// Tables with a trigger that fires.
absl::StatusOr<std::vector<FencedTable>> LoadedTables(const pg::Sql& sql,
                                                      const std::string& migration);

}  // namespace switchyard::cutover
