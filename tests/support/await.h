// Waiting for a condition with a deadline: the only way a test lets time pass.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::testing {

// Waits until `condition` holds, asking every few milliseconds. DeadlineExceeded names `what`; an
// error of the condition ends the wait.
absl::Status Await(const std::string& what, absl::Duration deadline,
                   absl::FunctionRef<absl::StatusOr<bool>()> condition);

}  // namespace switchyard::testing
