#include "common/base/wait/clock.h"

namespace switchyard {
namespace {

class SystemClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  bool WaitFor(absl::Duration duration, const Cancel& cancel) const override {
    return cancel.WaitFor(duration);
  }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

}  // namespace switchyard
