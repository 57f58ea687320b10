// The part of `check` that looks at the event log.
#pragma once

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/check_report.h"

namespace switchyard::operate {

// What the roles would refuse of the log, and whether a stream that was begun finds on it what NEW
// needs next. Adds every fault to `report`; an error only when cancelled. Makes nothing. A file
// with faults may not say where the log is.
absl::Status CheckLog(const spec::MigrationFile& file, const Cancel& cancel, CheckReport* report);

}  // namespace switchyard::operate
