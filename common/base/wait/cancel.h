// Shutdown as a value: a flag, a file descriptor to poll beside sockets, and a wait that ends
// early. Every wait in the tree takes one.
//
// Thread-safe. Request() may be called from any thread, any number of times.
#pragma once

#include <atomic>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard {

class Cancel {
 public:
  Cancel();
  ~Cancel();
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;

  void Request();
  bool requested() const { return requested_.load(std::memory_order_acquire); }
  // Readable once requested; for poll(2). Never read from it.
  int fd() const { return fd_; }

  // Waits for `duration`; true if it passed in full, false if shutdown was requested.
  bool WaitFor(absl::Duration duration) const;
  // Cancelled("shutting down") once requested, else OK.
  absl::Status status() const;

 private:
  std::atomic<bool> requested_ = false;
  int fd_;
};

}  // namespace switchyard
