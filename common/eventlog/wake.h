// One thread waits for a condition that another makes true, and shutdown ends the wait.
//
//   // waiter                                           // the other thread
//   wake.Await([&] { return done.load(); },             done.store(true);
//              deadline, cancel);                        wake.Notify();
//
// Condition variables can't be waited for together with a Cancel's descriptor; this can. Notify
// costs one atomic operation while nobody waits. One waiter at a time; any number of notifiers.
#pragma once

#include <atomic>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"

namespace switchyard::eventlog {

class Wake {
 public:
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  // Call after the change that the waiter looks for.
  void Notify() {
    // A read-modify-write on both sides: either this one sees the waiter, or the waiter's came
    // later and sees the change. (ThreadSanitizer knows no fences.)
    if (waiters_.fetch_add(0, std::memory_order_acq_rel) > 0) Signal();
  }

  // OK once `condition()` holds; DeadlineExceeded; Cancelled on shutdown.
  template <typename Condition>
  absl::Status Await(Condition condition, absl::Time deadline, const Cancel& cancel) {
    while (!condition()) {
      if (cancel.requested()) return cancel.status();
      if (absl::Now() >= deadline) return absl::DeadlineExceededError("timed out");
      SleepUnless(condition, deadline, cancel.fd());
    }
    return absl::OkStatus();
  }

  // Sleeps at most once: until notified, `other_fd` (-1: none) is readable, or the deadline passes.
  template <typename Condition>
  void SleepUnless(Condition condition, absl::Time deadline, int other_fd) {
    waiters_.fetch_add(1, std::memory_order_acq_rel);
    if (!condition()) Sleep(deadline, other_fd);
    waiters_.fetch_sub(1, std::memory_order_acq_rel);
  }

  // Readable when notified while waiting; for libraries that write to a descriptor themselves.
  int fd() const { return fd_; }
  // Sleeps until fd() or `other_fd` is readable or the deadline passes, and empties fd().
  void Sleep(absl::Time deadline, int other_fd);

 private:
  void Signal();

  std::atomic<int> waiters_ = 0;
  int fd_;
};

}  // namespace switchyard::eventlog
