// Trying again what a database or broker that is down makes fail.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

#include "common/base/log.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/retry.h"

namespace switchyard::cli {

// Calls `attempt` (giving an absl::StatusOr) until it ends in anything but an error that may pass,
// with a growing wait and a log line between. `what` is for that line: "start of replay".
// Cancelled on shutdown.
template <typename Attempt>
auto Patiently(std::string_view what, const Cancel& cancel, Attempt attempt)
    -> decltype(attempt()) {
  Backoff backoff({.seed = static_cast<uint64_t>(getpid())});
  while (true) {
    auto result = attempt();
    const absl::Status& status = result.status();
    if (!IsRetryable(status) && !absl::IsUnknown(status)) return result;
    LogWarn("main", "trying again",
            {{"what", std::string(what)}, {"error", std::string(StdSv(status.message()))}});
    if (!cancel.WaitFor(backoff.Next())) return cancel.status();
  }
}

}  // namespace switchyard::cli
