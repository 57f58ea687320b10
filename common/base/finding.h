// What a person acts on: what happened, and the step to take. A refusal can't be made without one.
//
//   return Refuse(absl::StrFormat("slot %s is gone", slot), "run: switchyard recopy FILE --all");
//
//   const Finding finding = FindingOf(status, "start it again");
//   LogError("capture", "stopped", {{"error", finding.what}, {"next", finding.next}});
//
// A step is what can be done as it stands: a command, a statement, a thing to mend or to look at.
// It rides on the status as a payload, which Annotate and WithCode keep; the message holds it, too,
// so that nobody who prints the message alone withholds it. All functions are pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace switchyard {

// What mends a log that lacks what was read from it, or holds what nobody wrote.
inline constexpr char kCopyAllAnew[] = "end every role, then run: switchyard recopy FILE --all";

struct Finding {
  std::string what;  // happened, with objects and numbers
  std::string next;  // is to be done; empty where it mends itself
  bool empty() const { return what.empty(); }
};

// FailedPrecondition: a person acts.
absl::Status Refuse(std::string_view what, std::string_view next);
// FailedPrecondition for several at once, each on a line with its own step, below `heading` ("the
// target is not ready:"; may be empty). OK for none.
absl::Status RefuseAll(std::string_view heading, const std::vector<Finding>& findings);
// DataLoss: the stream stops and skips nothing.
absl::Status Lost(std::string_view what, std::string_view next);

// `status` with a next step, unless it has one already; payloads kept; OK stays OK.
absl::Status WithNextStep(const absl::Status& status, std::string_view next);
// `status` under another code, with its message and payloads; OK stays OK.
absl::Status WithCode(absl::StatusCode code, const absl::Status& status);

// What `status` says and the step it carries; `otherwise` where it carries none.
Finding FindingOf(const absl::Status& status, std::string_view otherwise);

// "what; next: step", as people read it and as a record keeps it in one column.
std::string TextOf(const Finding& finding);
// Such a column taken apart: its last step counts, as what happened may tell of another's.
Finding ParseFinding(std::string_view text);

}  // namespace switchyard
