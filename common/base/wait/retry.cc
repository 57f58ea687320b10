#include "common/base/wait/retry.h"

#include <algorithm>

namespace switchyard {

absl::Duration Backoff::Next() {
  const absl::Duration base = next_;
  next_ = std::min(next_ * 2, options_.max);
  const double jitter = std::uniform_real_distribution<double>(0.75, 1.0)(random_);
  return base * jitter;
}

}  // namespace switchyard
