// What would keep a log from being used, found without changing anything: for `check`.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"

namespace switchyard::eventlog {

// What opening the log and CreateTopic of these would refuse, each fault apart. InvalidArgument:
// the properties; Unavailable: no broker answers within a few seconds; Cancelled.
std::vector<absl::Status> CheckEventLog(const LogOptions& options,
                                        const std::vector<std::string>& topics,
                                        const Cancel& cancel);

}  // namespace switchyard::eventlog
