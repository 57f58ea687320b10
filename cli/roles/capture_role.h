// The capture role: from OLD into the log.
#pragma once

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

// OK when the stream has begun, or when OLD has all that its first start needs; else
// FailedPrecondition with everything that is missing. Waits for a database that can't be reached.
absl::Status PrepareCapture(const spec::MigrationFile& file, const Cancel& cancel);

// Until shutdown (Cancelled) or until a person must act (FailedPrecondition, DataLoss,
// InvalidArgument).
absl::Status RunCaptureRole(const spec::MigrationFile& file, eventlog::EventLog& log,
                            const Cancel& cancel);

}  // namespace switchyard::cli
