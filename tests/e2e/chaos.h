// Promise 3, exactly-once effect: kill anything, at any moment, any number of times; NEW ends equal
// to the mapping of OLD. One seed decides what is disturbed and when; it is printed.
//
// The studio-bookings example runs with capture and replay as processes of their own while the old
// application writes. First come disturbances of the copy, then of the stream.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/oracle/studio_example.h"
#include "tests/support/pipeline.h"

namespace switchyard::testing {

struct FaultPoint {
  const char* name;
  int pass_max;  // one process passes it this often at least
};

class ChaosTest : public ::testing::Test {
 protected:
  // A name for the output, and what it does. Ends with both roles running.
  using Disturbance = std::pair<std::string, std::function<absl::Status()>>;

  ChaosTest();

  // `more`: beside those that every log has.
  void Survive(StudioExample::Options example, std::vector<Disturbance> more);

  int Below(int n);
  // Some time, at most that. The moment of a kill is random by its nature; nothing waits here for
  // a result.
  void LetRun(int milliseconds_max);
  void CountKill() { ++sigkills_; }

 private:
  void StartEverything(StudioExample::Options example);
  void StopWorkload();
  void ExpectNewIsTheMappingOfOld();
  absl::Status Disturb(const std::vector<Disturbance>& choice);
  std::vector<Disturbance> OfTheCopy();
  std::vector<Disturbance> OfTheStream();
  absl::Status KillAndStart(const std::string& role, int milliseconds_max);
  absl::Status DieAt(const std::string& role, const std::vector<FaultPoint>& points);
  absl::Status KillBoth();
  absl::Status CrashNew();
  absl::Status CutConnections(MiniPostgres& server);
  absl::Status Rival(const std::string& role);

  const uint64_t seed_;
  std::mt19937_64 random_;
  int sigkills_ = 0;
  pid_t workload_ = 0;
  std::unique_ptr<StudioExample> example_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace switchyard::testing
