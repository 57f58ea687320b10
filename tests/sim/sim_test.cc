// Promises 1, 2 and 3 over random histories: see sim_run.h.
//
// SWITCHYARD_SIM_SEED=N runs one seed; SWITCHYARD_SIM_RUNS=N that many, from seed 1 on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "gtest/gtest.h"
#include "tests/sim/sim_run.h"

namespace switchyard::sim {
namespace {

constexpr uint64_t kRuns = 12'000;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

std::string Again(uint64_t seed) {
  return absl::StrCat("seed ", seed, "; again: SWITCHYARD_SIM_SEED=", seed,
                      " sim_test --gtest_filter=SimTest.KeepsItsPromises");
}

class SimTest : public ::testing::Test {
 protected:
  SimTest() {
    if (FromEnvironment("SWITCHYARD_SIM_SEED", 0) == 0) SetLogLevel(LogLevel::kError);
  }
  ~SimTest() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(SimTest, KeepsItsPromises) {
  const uint64_t one = FromEnvironment("SWITCHYARD_SIM_SEED", 0);
  const uint64_t first = one == 0 ? 1 : one;
  const uint64_t runs = one == 0 ? FromEnvironment("SWITCHYARD_SIM_RUNS", kRuns) : 1;
  SimStats stats;
  const absl::Time began = absl::Now();
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    const SimResult result = Simulate(seed, Mutation::kNone, &stats);
    ASSERT_EQ(result.broken, "") << Again(seed);
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  std::printf(
      "%llu runs in %.1f s (%.0f a minute): %lld transactions of the source, %lld commits of the "
      "target, %lld captures, %lld starts of the replayer, %lld holds met, %lld crashes of the "
      "target\n",
      static_cast<unsigned long long>(runs), seconds, static_cast<double>(runs) * 60 / seconds,
      static_cast<long long>(stats.source_transactions),
      static_cast<long long>(stats.target_commits), static_cast<long long>(stats.captures),
      static_cast<long long>(stats.starts), static_cast<long long>(stats.holds),
      static_cast<long long>(stats.server_crashes));
  for (const auto& [point, times] : stats.crashes) {
    std::printf("  %-28s %lld\n", point.c_str(), static_cast<long long>(times));
  }
}

TEST_F(SimTest, ASeedGivesTheSameRunEachTime) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimStats first, second;
    Simulate(seed, Mutation::kNone, &first);
    Simulate(seed, Mutation::kNone, &second);
    EXPECT_EQ(first.target_commits, second.target_commits);
    EXPECT_EQ(first.crashes, second.crashes);
  }
}

// ---- What it would find.

struct Planted {
  Mutation mutation;
  const char* what;
};

class MutationTest : public SimTest, public ::testing::WithParamInterface<Planted> {};

TEST_P(MutationTest, IsFound) {
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    const SimResult result = Simulate(seed, GetParam().mutation);
    if (result.broken.empty()) continue;
    std::printf("%s: found by run %llu: %s\n", GetParam().what,
                static_cast<unsigned long long>(seed), result.broken.c_str());
    return;
  }
  FAIL() << GetParam().what << " was not found in " << kRuns << " runs";
}

INSTANTIATE_TEST_SUITE_P(
    Planted, MutationTest,
    ::testing::Values(Planted{Mutation::kPositionAfterRows, "PositionCommittedAfterTheRows"},
                      Planted{Mutation::kEpochNotChecked, "EpochNotChecked"},
                      Planted{Mutation::kAcknowledgedEarly, "SlotAcknowledgedEarly"},
                      Planted{Mutation::kKeptAtHello, "UnfinishedTransactionKeptAtAHello"},
                      Planted{Mutation::kTrimmedUnflushed, "TrimmedBehindWhatIsNotFlushed"},
                      Planted{Mutation::kHeldBeforeTheHold, "HeldBeforeTheHold"}),
    [](const auto& info) { return std::string(info.param.what); });

}  // namespace
}  // namespace switchyard::sim
