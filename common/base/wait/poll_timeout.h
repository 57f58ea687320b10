// A deadline as poll(2) wants it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace switchyard {

// Milliseconds until `deadline`, for a loop that looks at the clock itself: rounded up, so that a
// wait is never a spin, at least 0, at most a minute.
inline int PollTimeout(absl::Time deadline) {
  const absl::Duration left = deadline - absl::Now();
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

}  // namespace switchyard
