// The capture role: from a stream's source into the log.
#pragma once

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

// OK when the stream has begun, or when its source has all that its first start needs; else
// FailedPrecondition with everything that is missing. Waits for a database that can't be reached.
absl::Status PrepareCapture(const spec::MigrationFile& file, const records::Stream& stream,
                            const Cancel& cancel);

// Until the reverse stream may begin, or has: what it copies is there once forward streams. Asks
// NEW. Cancelled.
absl::Status AwaitForward(const spec::MigrationFile& file, const Cancel& cancel);

// Until shutdown (Cancelled) or until a person must act (FailedPrecondition, DataLoss,
// InvalidArgument).
absl::Status RunCaptureRole(const spec::MigrationFile& file, const records::Stream& stream,
                            eventlog::EventLog& log, const Cancel& cancel);

}  // namespace switchyard::cli
