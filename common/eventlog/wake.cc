#include "common/eventlog/wake.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "common/base/check.h"
#include "common/base/wait/poll_timeout.h"

namespace switchyard::eventlog {

Wake::Wake() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { SY_CHECK(fd_ >= 0); }

Wake::~Wake() { close(fd_); }

void Wake::Signal() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the descriptor is readable already.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

void Wake::Sleep(absl::Time deadline, int other_fd) {
  std::array<pollfd, 2> fds = {pollfd{.fd = fd_, .events = POLLIN, .revents = 0},
                               pollfd{.fd = other_fd, .events = POLLIN, .revents = 0}};
  poll(fds.data(), fds.size(), PollTimeout(deadline));
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof count);
}

}  // namespace switchyard::eventlog
