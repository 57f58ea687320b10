// Time, injected: the system's in production, FakeClock in tests.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/wait/cancel.h"

namespace switchyard {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  // True if `duration` passed in full, false if shutdown was requested.
  virtual bool WaitFor(absl::Duration duration, const Cancel& cancel) const = 0;

  static const Clock& System();
};

// Moves only when told to, or waited for. Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start) : now_ns_(absl::ToUnixNanos(start)) {}
  absl::Time Now() const override { return absl::FromUnixNanos(now_ns_.load()); }
  bool WaitFor(absl::Duration duration, const Cancel& cancel) const override {
    now_ns_ += absl::ToInt64Nanoseconds(duration);
    return !cancel.requested();
  }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  mutable std::atomic<int64_t> now_ns_;
};

}  // namespace switchyard
