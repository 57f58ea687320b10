// Promises 5, 6 and 7 of the cutover in tens of thousands of runs by seed: two drivers and a
// standby driver, the real controller over fake databases and proxies that fail, delay and lose
// answers at every call. And each planted mistake is found.
//
// SWITCHYARD_SIM_SEED=N runs one; SWITCHYARD_SIM_RUNS=N another number of them.
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/base/log.h"
#include "gtest/gtest.h"
#include "tests/cutover/sim_run.h"

namespace switchyard::cutover {
namespace {

constexpr uint64_t kRuns = 100'000;
constexpr uint64_t kRunsToFind = 100'000;  // a planted mistake

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(CutoverSimTest, HoldsItsPromisesInEveryRun) {
  SetLogLevel(LogLevel::kError);
  const uint64_t first = FromEnvironment("SWITCHYARD_SIM_SEED", 1);
  const bool one = std::getenv("SWITCHYARD_SIM_SEED") != nullptr;
  const uint64_t runs = one ? 1 : FromEnvironment("SWITCHYARD_SIM_RUNS", kRuns);
  SimResult sum;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    const SimResult result = RunSimulation(seed, Planted::kNone);
    ASSERT_EQ(result.violation, "")
        << "again: SWITCHYARD_SIM_SEED=" << seed
        << " cutover_sim_test --gtest_filter=CutoverSimTest.HoldsItsPromisesInEveryRun";
    sum.cutovers += result.cutovers;
    sum.rollbacks += result.rollbacks;
    sum.undone += result.undone;
    sum.ambiguous += result.ambiguous;
    sum.takeovers += result.takeovers;
  }
  std::cout << runs << " runs: " << sum.cutovers << " cutovers, " << sum.rollbacks << " rollbacks, "
            << sum.undone << " undone, " << sum.takeovers << " takeovers, " << sum.ambiguous
            << " ambiguous\n";
  if (one) return;
  // A simulation in which little happens proves little.
  EXPECT_GT(sum.cutovers, runs / 4);
  EXPECT_GT(sum.rollbacks, runs / 10);
  EXPECT_GT(sum.undone, runs / 10);
  EXPECT_GT(sum.takeovers, runs / 50);
}

class PlantedTest : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedTest, IsFound) {
  SetLogLevel(LogLevel::kError);
  for (uint64_t seed = 1; seed <= kRunsToFind; ++seed) {
    const SimResult result = RunSimulation(seed, GetParam());
    if (result.violation.empty()) continue;
    std::cout << "seed " << seed << ": " << result.violation << "\n";
    return;
  }
  FAIL() << "not found in " << kRunsToFind << " runs";
}

INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedTest,
                         testing::Values(Planted::kMarkerBeforeLocks, Planted::kSlotInsideThePause,
                                         Planted::kOwnerBeforeFence, Planted::kLagBySubtraction,
                                         Planted::kReverseAfterFlip, Planted::kFailedCheckIsClean,
                                         Planted::kProxyUnknown, Planted::kDecisionForgotten,
                                         Planted::kQuarantineAfterFlip, Planted::kOldRowNotCompared,
                                         Planted::kNewRowNotCompared,
                                         Planted::kOldOpenedWithoutCompare, Planted::kReadAgain,
                                         Planted::kStandbysNotWaitedFor,
                                         Planted::kHistoryNotAsked));

}  // namespace
}  // namespace switchyard::cutover
