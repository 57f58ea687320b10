#include "tests/support/await.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/wait/cancel.h"

namespace switchyard::testing {

absl::Status Await(const std::string& what, absl::Duration deadline,
                   absl::FunctionRef<absl::StatusOr<bool>()> condition) {
  const Cancel never;
  const absl::Time until = absl::Now() + deadline;
  while (true) {
    ASSIGN_OR_RETURN(const bool holds, condition());
    if (holds) return absl::OkStatus();
    if (absl::Now() > until) {
      return absl::DeadlineExceededError(
          absl::StrCat(what, ": not after ", absl::FormatDuration(deadline)));
    }
    never.WaitFor(absl::Milliseconds(5));
  }
}

}  // namespace switchyard::testing
