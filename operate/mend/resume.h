// Going on after a change of the migration file or of OLD's tables: what is installed in NEW is
// replaced by what the file says now, and its tables are copied or derived again.
#pragma once

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/resume_report.h"

namespace switchyard::operate {

// FailedPrecondition: the stream has not begun, a replayer works on it, or capture does not follow
// a table yet; nothing was changed then. The replayer is to be started afterwards.
absl::StatusOr<ResumeReport> Resume(const spec::MigrationFile& file, const Cancel& cancel);

}  // namespace switchyard::operate
