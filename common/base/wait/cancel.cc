#include "common/base/wait/cancel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "absl/time/clock.h"
#include "common/base/check.h"

namespace switchyard {

Cancel::Cancel() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { SY_CHECK(fd_ >= 0); }

Cancel::~Cancel() { close(fd_); }

void Cancel::Request() {
  requested_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the descriptor is readable already.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

bool Cancel::WaitFor(absl::Duration duration) const {
  const absl::Time deadline = absl::Now() + duration;
  while (!requested()) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return true;
    pollfd poll_fd = {.fd = fd_, .events = POLLIN, .revents = 0};
    const timespec wait = absl::ToTimespec(std::min(left, absl::Seconds(60)));
    ppoll(&poll_fd, 1, &wait, nullptr);
  }
  return false;
}

absl::Status Cancel::status() const {
  return requested() ? absl::CancelledError("shutting down") : absl::OkStatus();
}

}  // namespace switchyard
