// The event log that a migration file names.
#pragma once

#include <memory>

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/spec/migration_file.h"

namespace switchyard::operate {

// The next step when no broker answers.
inline constexpr char kStartTheBroker[] = "start the broker, or correct bootstrap.servers";

// InvalidArgument: an environment variable that holds a property is not set.
absl::StatusOr<eventlog::LogOptions> LogOptionsOf(const spec::MigrationFile& file);

// What OpenLog would refuse: of a file and its folder, of Kafka's properties. Makes nothing.
absl::Status RefuseBadLog(const spec::MigrationFile& file, const Cancel& cancel);

// InvalidArgument: an environment variable that holds a property is not set. Other codes as
// eventlog::OpenEventLog. `cancel` must outlive the log.
absl::StatusOr<std::unique_ptr<eventlog::EventLog>> OpenLog(const spec::MigrationFile& file,
                                                            const Cancel& cancel);

}  // namespace switchyard::operate
