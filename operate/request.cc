#include "operate/request.h"

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::operate {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(100);

absl::Status RefusedAs(std::string_view result) {
  const Finding finding = ParseFinding(result);
  return Refuse(finding.what, finding.next.empty() ? "switchyard status FILE shows what is wrong"
                                                   : std::string_view(finding.next));
}

}  // namespace

absl::StatusOr<std::string> AwaitAnswer(records::Requests& requests, int64_t id,
                                        absl::Duration timeout, const Cancel& cancel) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<records::Request> request, requests.Find(id));
    if (request.has_value() && request->state == records::RequestState::kDone) {
      return request->result;
    }
    if (request.has_value() && request->state == records::RequestState::kFailed) {
      return RefusedAs(request->result);
    }
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrFormat(
          "not done within %s: no replayer runs, or it is still at it. The request stays; what "
          "holds it up shows: switchyard status FILE",
          absl::FormatDuration(timeout)));
    }
    if (!cancel.WaitFor(kPoll)) return cancel.status();
  }
}

absl::Status RequireStream(pg::ControlSession& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const bool there, records::HasStreams(session));
  if (there) {
    ASSIGN_OR_RETURN(const auto state, records::StreamStore(session, stream).Find());
    if (state.has_value()) return absl::OkStatus();
  }
  return Refuse(absl::StrCat("stream ", stream, " has not begun in NEW"),
                "start it: switchyard run FILE");
}

}  // namespace switchyard::operate
