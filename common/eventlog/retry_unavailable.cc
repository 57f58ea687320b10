#include "common/eventlog/retry_unavailable.h"

#include <string>

#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"

namespace switchyard::eventlog {
namespace {

constexpr absl::Duration kWarnEvery = absl::Seconds(10);

}  // namespace

absl::Status RetryWhileUnavailable(const Cancel& cancel, std::string_view what,
                                   absl::FunctionRef<absl::Status()> attempt) {
  Backoff backoff({.initial = absl::Milliseconds(50), .max = absl::Seconds(5), .seed = 1});
  absl::Time next_warning = absl::InfinitePast();
  while (true) {
    RETURN_IF_ERROR(cancel.status());
    absl::Status status = attempt();
    if (!absl::IsUnavailable(status)) return status;
    if (absl::Now() >= next_warning) {
      LogWarn("eventlog", "the log can't be reached, waiting",
              {{"doing", std::string(what)}, {"error", std::string(StdSv(status.message()))}});
      next_warning = absl::Now() + kWarnEvery;
    }
    if (!cancel.WaitFor(backoff.Next())) return cancel.status();
  }
}

}  // namespace switchyard::eventlog
