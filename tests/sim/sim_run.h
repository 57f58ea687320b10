// One run of the whole pipeline, in one thread and on fakes, decided by its seed: source, capture,
// log, the replayer's loop, target. Whatever may fail does, at every place; then it is left alone,
// held at a point, and has to catch up.
//
//   SimResult result = Simulate(seed);
//   EXPECT_EQ(result.broken, "") << "seed " << seed;
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/world.h"

namespace switchyard::sim {

struct SimResult {
  std::string broken;  // the promise that was found broken; empty: none
};

// What happened in many runs.
struct SimStats {
  int64_t source_transactions = 0;
  int64_t target_commits = 0;
  int64_t captures = 0;
  int64_t starts = 0;  // of the replayer, after crashes and errors
  int64_t holds = 0;   // that were met
  int64_t server_crashes = 0;
  std::map<std::string, int64_t> crashes;  // of the replayer, by place
};

SimResult Simulate(uint64_t seed, Mutation mutation = Mutation::kNone, SimStats* stats = nullptr);

}  // namespace switchyard::sim
