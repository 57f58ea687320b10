// Waits for a log that can't be reached: tries again with backoff, a warning now and then.
#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"

namespace switchyard::eventlog {

// Calls `attempt` until its result is anything but Unavailable. Cancelled on shutdown.
absl::Status RetryWhileUnavailable(const Cancel& cancel, std::string_view what,
                                   absl::FunctionRef<absl::Status()> attempt);

}  // namespace switchyard::eventlog
