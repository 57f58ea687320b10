// Everything of a migration removed from OLD, from NEW and from the log; NEW's mapped tables keep
// every row. Also after a try that failed half-way. Looks at what there is, so that doing it a
// second time finds nothing.
//
//   ASSIGN_OR_RETURN(TeardownReport planned, ShowTeardown(file, TeardownOf::kAll, cancel));
//   ASSIGN_OR_RETURN(TeardownReport done, Teardown(file, TeardownOf::kAll, cancel));
//
// Schemas and tables of Switchyard that another migration uses stay. So do the roles that the setup
// made: others may use them.
//
// Thread safety: functions over values.
#pragma once

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/teardown_report.h"

namespace switchyard::operate {

// The other database is gone for good, and not asked for anything: one side and the log.
enum class TeardownOf { kAll, kOldAndLog, kNewAndLog };

// What there is to remove, each with its statement. Unavailable: a database or the log gave no
// answer.
absl::StatusOr<TeardownReport> ShowTeardown(const spec::MigrationFile& file, TeardownOf what,
                                            const Cancel& cancel);

// Removes it, holding the locks that a role would work under. What the logins have no right to is
// left, and the report says why. FailedPrecondition, and nothing is removed: a role runs.
absl::StatusOr<TeardownReport> Teardown(const spec::MigrationFile& file, TeardownOf what,
                                        const Cancel& cancel);

}  // namespace switchyard::operate
