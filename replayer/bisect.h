// Finds, of a set of changes, those that the target refuses: the others are left written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

struct RefusedNumber {
  int64_t number = 0;
  absl::Status error;  // one for which IsRefusedRow holds
};

// Undoes what `body` did when it fails, and returns its status.
absl::Status InSavepoint(pg::Session& session, const std::string& name,
                         absl::FunctionRef<absl::Status()> body);

// `attempt` writes the changes numbered low to high - 1, or undoes what it did and says why. Those
// refused alone are tried again until nothing moves: one may have stood in another's way.
absl::StatusOr<std::vector<RefusedNumber>> Bisect(
    int64_t count, absl::FunctionRef<absl::Status(int64_t low, int64_t high)> attempt);

// SQLSTATE 21000 and classes 22 and 23: the row is at fault, not the system.
bool IsRefusedRow(const absl::Status& status);

}  // namespace switchyard::replayer
