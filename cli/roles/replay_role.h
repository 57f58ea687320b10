// The replay role: from the log into a stream's target.
#pragma once

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

// The mapping compiled, and installed in the target. The source is asked only before the first
// time. Waits for databases that can't be reached. InvalidArgument: the mapping does not fit.
// FailedPrecondition: the target is not ready, or another mapping is installed. Why stands in the
// target as the reason of a stop.
absl::StatusOr<mapping::Plan> PrepareReplay(const spec::MigrationFile& file,
                                            const records::Stream& stream, const Cancel& cancel);

// Gives `refusal` back, and, unless it is OK or a shutdown, keeps it in the target as the reason
// why the stream stands still: as far as that can be written, and no replayer works.
absl::Status NotedInTarget(const records::Stream& stream, const absl::Status& refusal,
                           const Cancel& cancel);

// Applies the log through `plan` until shutdown (Cancelled) or until a person must act
// (FailedPrecondition, DataLoss); with `drain` requested, until the log has no more (Cancelled).
absl::Status Replay(const spec::MigrationFile& file, const records::Stream& stream,
                    const mapping::Plan& plan, eventlog::EventLog& log, const Cancel& cancel,
                    const Cancel* drain = nullptr);

}  // namespace switchyard::cli
