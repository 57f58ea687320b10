// What all parts of one simulated run share: one seed, one clock, the faults that may happen, and
// the first promise that was found broken.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/wait/clock.h"

namespace switchyard::sim {

// SplitMix64: the same numbers everywhere, and nothing to set up.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  bool OneIn(int n) { return n > 0 && Below(n) == 0; }

 private:
  uint64_t state_;
};

// The replayer's process ends here, as by SIGKILL.
struct Crash {};
// A promise is broken: the run ends. What is broken is in World::broken.
struct Broken {};

// Faults that the code under test might have: each is to be found.
enum class Mutation {
  kNone,
  kPositionAfterRows,  // the position is committed by itself, after the rows
  kEpochNotChecked,    // events of an older epoch are read as if of the newest
  kAcknowledgedEarly,  // the slot is told of what the log may still lose
  kKeptAtHello,        // an unfinished transaction is kept when a Hello comes
  kTrimmedUnflushed,   // the log forgets what a crash of the target takes back
  kHeldBeforeTheHold,  // a hold is answered by a commit that was past the one before it
};

class World : public Clock {
 public:
  World(uint64_t seed, Mutation mutation) : random(seed), mutation(mutation) {}

  absl::Time Now() const override { return now_; }
  // The others go on meanwhile.
  bool WaitFor(absl::Duration duration, const Cancel& cancel) const override {
    if (!cancel.requested()) others(duration);
    return !cancel.requested();
  }
  void Advance(absl::Duration by) { now_ += by; }

  // A place where the replayer's process may end, the others may go on, or nothing happens.
  void MayCrash(std::string_view point) {
    if (!faults || !random.OneIn(crash_one_in)) return;
    if (crashes != nullptr) ++(*crashes)[std::string(point)];
    throw Crash();
  }

  void Check(bool holds, const std::function<std::string()>& what) {
    if (holds) return;
    if (broken.empty()) broken = what();
    throw Broken();
  }

  Random random;
  const Mutation mutation;
  bool faults = true;
  int crash_one_in = 60;
  std::function<void(absl::Duration)> others;         // lets them work for that long
  std::map<std::string, int64_t>* crashes = nullptr;  // by point
  std::string broken;

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

}  // namespace switchyard::sim
