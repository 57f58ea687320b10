// What `check --print-setup` prints: the SQL an owner runs once.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/setup_report.h"

namespace switchyard::operate {

// For OLD. `role` captures; empty: who the connection string logs in as, or switchyard_capture if
// that is a superuser. FailedPrecondition names the tables that can't be captured. Nothing is
// changed.
absl::StatusOr<SetupReport> OldSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel);

// For NEW. `role` replays; empty: likewise, or switchyard_replay. FailedPrecondition names the
// tables that are not there.
absl::StatusOr<SetupReport> NewSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel);

}  // namespace switchyard::operate
