// Exponential backoff with seeded jitter.
//
//   Backoff backoff({.initial = absl::Milliseconds(100), .max = absl::Seconds(10), .seed = seed});
//   while (!(status = Try()).ok() && IsRetryable(status)) {
//     if (!cancel.WaitFor(backoff.Next())) return cancel.status();
//   }
#pragma once

#include <cstdint>
#include <random>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard {

class Backoff {
 public:
  struct Options {
    absl::Duration initial = absl::Milliseconds(100);
    absl::Duration max = absl::Seconds(10);
    uint64_t seed = 1;
  };
  explicit Backoff(const Options& options)
      : options_(options), next_(options.initial), random_(options.seed) {}

  // The next wait: doubles up to `max`, less up to a quarter of jitter.
  absl::Duration Next();
  void Reset() { next_ = options_.initial; }

 private:
  Options options_;
  absl::Duration next_;
  std::mt19937_64 random_;
};

// Unavailable or Aborted: the same call may succeed later.
inline bool IsRetryable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsAborted(status);
}

}  // namespace switchyard
