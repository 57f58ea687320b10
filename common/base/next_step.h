// An error that a person acts on says how at its end: "... is gone; next: switchyard recopy ...".
// Log lines carry that part under a key of its own.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace switchyard {

struct NextStep {
  std::string what;  // happened
  std::string next;  // is to be done
};

// `text` without its next step, and that; `otherwise` where it names none. A list of several
// problems, each with its own, stays whole.
NextStep SplitNextStep(std::string_view text, std::string_view otherwise);

// `status` with a next step, unless it has one already; payloads kept; OK stays OK.
absl::Status WithNextStep(const absl::Status& status, std::string_view next);

}  // namespace switchyard
