// A first-in first-out queue between two threads, bounded by a weight (bytes, rows).
//
// Push blocks while the queue holds `weight_max` or more; one item heavier than that passes alone.
// Close() ends both sides: Push returns false, PopFor drains what is left and then returns nullopt.
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/mutex.h"

namespace switchyard {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(int64_t weight_max) : weight_max_(weight_max) {}

  bool Push(T item, int64_t weight) {
    MutexLock lock(&mu_);
    while (!closed_ && weight_ >= weight_max_) changed_.Wait(&mu_);
    if (closed_) return false;
    items_.emplace_back(std::move(item), weight);
    weight_ += weight;
    changed_.SignalAll();
    return true;
  }

  // nullopt also when `timeout` passed; closed() tells the two apart.
  std::optional<T> PopFor(absl::Duration timeout) {
    MutexLock lock(&mu_);
    const absl::Time deadline = absl::Now() + timeout;
    while (!closed_ && items_.empty()) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      changed_.WaitFor(&mu_, left);
    }
    return Take();
  }

  void Close() {
    MutexLock lock(&mu_);
    closed_ = true;
    changed_.SignalAll();
  }

  bool closed() const {
    MutexLock lock(&mu_);
    return closed_;
  }
  bool empty() const {
    MutexLock lock(&mu_);
    return items_.empty();
  }

 private:
  std::optional<T> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front().first));
    weight_ -= items_.front().second;
    items_.pop_front();
    changed_.SignalAll();
    return item;
  }

  const int64_t weight_max_;
  mutable Mutex mu_;
  CondVar changed_;
  std::deque<std::pair<T, int64_t>> items_ ABSL_GUARDED_BY(mu_);
  int64_t weight_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace switchyard
