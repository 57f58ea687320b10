// The replay role: from the log into NEW.
#pragma once

#include "common/base/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

// Compiles and installs the mapping, then applies until shutdown (Cancelled) or until a person
// must act (FailedPrecondition, DataLoss, InvalidArgument). Waits for databases that can't be
// reached. OLD is asked only before the mapping is installed for the first time.
absl::Status RunReplayRole(const spec::MigrationFile& file, eventlog::EventLog& log,
                           const Cancel& cancel);

}  // namespace switchyard::cli
