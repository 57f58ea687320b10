// Tells a flood from a trickle, so that a loop may gather a while in the one and act at once in the
// other.
//
//   Pace pace(absl::Milliseconds(5), /*flood_per_ms=*/40);
//   pace.Count(frames, now);      // whenever something came, or nothing did
//   if (pace.flood()) ...         // the last window brought that many a millisecond, or more
//
// Thread-compatible.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace switchyard {

class Pace {
 public:
  Pace(absl::Duration window, int64_t flood_per_ms)
      : window_(window), flood_per_ms_(flood_per_ms) {}

  void Count(int64_t items, absl::Time now) {
    items_ += items;
    const absl::Duration elapsed = now - start_;
    if (elapsed < window_) return;
    flood_ = static_cast<double>(items_) >=
             static_cast<double>(flood_per_ms_) * absl::ToDoubleMilliseconds(elapsed);
    items_ = 0;
    start_ = now;
  }

  bool flood() const { return flood_; }

 private:
  const absl::Duration window_;
  const int64_t flood_per_ms_;
  absl::Time start_ = absl::UnixEpoch();
  int64_t items_ = 0;
  bool flood_ = false;
};

}  // namespace switchyard
