// The part of `check` that asks the databases.
#pragma once

#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/check_report.h"

namespace switchyard::operate {

// Adds every fault found to `report`; an error only when the check itself had to stop (Cancelled,
// or a connection lost on the way).
// `whole`: false for a file with faults, of which only what could be read is there.
absl::Status CheckDatabases(const spec::MigrationFile& file, bool whole, const Cancel& cancel,
                            operate::CheckReport* report);

}  // namespace switchyard::operate
