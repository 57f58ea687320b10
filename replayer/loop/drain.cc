#include "replayer/loop/drain.h"

#include <utility>

#include "common/base/log.h"
#include "common/base/strings.h"

namespace switchyard::replayer {

Drain::Drain(DrainOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      busy_at_(clock.Now()),
      failing_since_(clock.Now()) {}

bool Drain::GivesUp(const absl::Status& failed) {
  if (!asked()) NoteWorking();
  if (clock_.Now() - failing_since_ < options_.patience) return false;
  LogError("replayer", "the log could not be applied to its end",
           {{"stream", options_.stream},
            {"error", std::string(StdSv(failed.message()))},
            {"next", "nothing is lost: the next start applies what is left"}});
  return true;
}

absl::Status Drain::EndIfDrained(bool idle) {
  const absl::Time now = clock_.Now();
  if (!idle || !asked()) busy_at_ = now;
  if (now - busy_at_ < options_.idle) return absl::OkStatus();
  done_ = true;
  LogInfo("replayer", "everything on the log is applied", {{"stream", options_.stream}});
  return absl::CancelledError("the log is drained");
}

}  // namespace switchyard::replayer
