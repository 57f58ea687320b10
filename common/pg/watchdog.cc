#include "common/pg/watchdog.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/wait/poll_timeout.h"

namespace switchyard::pg::internal {
namespace {

// What a server gets to answer a cancel request before the socket is shut.
constexpr absl::Duration kGrace = absl::Seconds(3);

}  // namespace

Watchdog::Watchdog(PGconn* connection, const Cancel& cancel)
    : connection_(connection), cancel_(cancel), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  SY_CHECK(wake_ >= 0);
  thread_ = std::thread([this] { Run(); });
}

Watchdog::~Watchdog() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
  }
  Wake();
  thread_.join();
  close(wake_);
}

Watchdog::Fired Watchdog::fired() const {
  MutexLock lock(&mu_);
  return fired_;
}

void Watchdog::Begin(absl::Duration timeout) {
  {
    MutexLock lock(&mu_);
    SY_CHECK(watch_ == 0);
    watch_ = ++watches_;
    deadline_ = absl::Now() + timeout;
    fired_ = Fired::kNo;
  }
  Wake();
}

void Watchdog::End() {
  MutexLock lock(&mu_);
  watch_ = 0;
}

void Watchdog::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

Watchdog::Fired Watchdog::Await(int64_t watch, absl::Time deadline, bool heed_cancel) {
  while (true) {
    {
      MutexLock lock(&mu_);
      if (ending_ || watch_ != watch) return Fired::kNo;
    }
    if (heed_cancel && cancel_.requested()) return Fired::kShutdown;
    if (absl::Now() >= deadline) return Fired::kDeadline;
    std::array<pollfd, 2> fds = {
        {{.fd = wake_, .events = POLLIN, .revents = 0},
         {.fd = heed_cancel ? cancel_.fd() : -1, .events = POLLIN, .revents = 0}}};
    poll(fds.data(), fds.size(), PollTimeout(deadline));
    uint64_t drained = 0;
    [[maybe_unused]] const ssize_t got = read(wake_, &drained, sizeof drained);
  }
}

void Watchdog::Run() {
  while (true) {
    int64_t watch = 0;
    absl::Time deadline = absl::InfiniteFuture();
    {
      MutexLock lock(&mu_);
      if (ending_) return;
      watch = watch_;
      if (watch != 0) deadline = deadline_;
    }
    // With nothing to watch this waits for the next Begin.
    const Fired fired = Await(watch, deadline, watch != 0);
    if (fired == Fired::kNo) continue;
    {
      MutexLock lock(&mu_);
      if (watch_ != watch) continue;
      fired_ = fired;
    }
    SendCancelRequest(connection_, kGrace);
    // The answer to it ends the call; without one the connection does.
    if (Await(watch, absl::Now() + kGrace, false) == Fired::kNo) continue;
    shutdown(PQsocket(connection_), SHUT_RDWR);
    Await(watch, absl::InfiniteFuture(), false);
  }
}

}  // namespace switchyard::pg::internal
