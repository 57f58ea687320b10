#include "common/eventlog/retry_unavailable.h"

#include <string>

#include "common/base/log.h"
#include "common/base/retry.h"
#include "common/base/strings.h"

namespace switchyard::eventlog {

absl::Status RetryWhileUnavailable(const Cancel& cancel, std::string_view what,
                                   absl::FunctionRef<absl::Status()> attempt) {
  Backoff backoff({.initial = absl::Milliseconds(50), .max = absl::Seconds(5), .seed = 1});
  while (true) {
    RETURN_IF_ERROR(cancel.status());
    const absl::Status status = attempt();
    if (!absl::IsUnavailable(status)) return status;
    LogWarn("eventlog", "the log can't be reached, waiting",
            {{"doing", std::string(what)}, {"error", std::string(StdSv(status.message()))}});
    if (!cancel.WaitFor(backoff.Next())) return cancel.status();
  }
}

}  // namespace switchyard::eventlog
