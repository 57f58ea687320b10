// The replay role: from the log into NEW.
#pragma once

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

// The mapping compiled, and installed in NEW. OLD is asked only before the first time. Waits for
// databases that can't be reached. InvalidArgument: the mapping does not fit. FailedPrecondition:
// NEW is not ready, or another mapping is installed. Why stands in NEW as the reason of a stop.
absl::StatusOr<mapping::Plan> PrepareReplay(const spec::MigrationFile& file, const Cancel& cancel);

// Gives `refusal` back, and, unless it is OK or a shutdown, keeps it in NEW as the reason why the
// stream stands still: as far as NEW can be written, and no replayer works.
absl::Status NotedInNew(const spec::MigrationFile& file, const absl::Status& refusal,
                        const Cancel& cancel);

// Applies the log through `plan` until shutdown (Cancelled) or until a person must act
// (FailedPrecondition, DataLoss); with `drain` requested, until the log has no more (Cancelled).
absl::Status Replay(const spec::MigrationFile& file, const mapping::Plan& plan,
                    eventlog::EventLog& log, const Cancel& cancel, const Cancel* drain = nullptr);

}  // namespace switchyard::cli
