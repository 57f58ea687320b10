// Promise 3, exactly-once effect: kill anything, at any moment, any number of times; NEW ends equal
// to the mapping of OLD. One seed decides what is killed and when; it is printed.
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/base/cancel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/pipeline.h"
#include "tests/support/status_matchers.h"
#include "tests/support/studio_example.h"

namespace switchyard::testing {
namespace {

constexpr int kDisturbances = 26;
constexpr int kSigkillsMin = 20;

constexpr const char* kCaptureFaults[] = {"eventlog.before_commit", "eventlog.after_commit"};
constexpr const char* kReplayFaults[] = {"replayer.after_begin",      "replayer.after_mirror",
                                         "replayer.deriving",         "replayer.before_commit",
                                         "replayer.after_commit",     "replayer.before_copy_commit",
                                         "replayer.after_copy_commit"};

uint64_t Seed() {
  const char* text = std::getenv("SWITCHYARD_CHAOS_SEED");
  uint64_t seed = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &seed)) return seed;
  return 20250101;
}

class ChaosTest : public ::testing::Test {
 protected:
  ChaosTest() : seed_(Seed()), random_(seed_) {
    std::cout << "seed " << seed_ << "; again: SWITCHYARD_CHAOS_SEED=" << seed_ << " chaos_test\n";
  }

  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  // The moment of a kill is random by its nature; nothing waits for a result here.
  void LetRun(int milliseconds_max) {
    const Cancel never;
    never.WaitFor(absl::Milliseconds(Below(milliseconds_max)));
  }

  absl::Status Begin(const std::string& role) { return pipeline_->Start(role); }

  absl::Status Kill(const std::string& role) {
    LetRun(600);
    pipeline_->Kill(role);
    ++sigkills_;
    return Begin(role);
  }

  // Starts the role so that it kills itself at a named point, or kills it if it never gets there.
  template <size_t N>
  absl::Status DieAt(const std::string& role, const char* const (&points)[N]) {
    const std::string fault = absl::StrFormat("%s:%d", points[Below(N)], 1 + Below(4));
    pipeline_->Kill(role);
    RETURN_IF_ERROR(pipeline_->Start(role, fault));
    const absl::StatusOr<int> result = pipeline_->process(role)->Wait(absl::Seconds(3));
    std::cout << "  " << role << " at " << fault << (result.ok() ? "" : ": not reached") << "\n";
    sigkills_ += 2;
    pipeline_->Kill(role);
    return Begin(role);
  }

  absl::Status KillBoth() {
    LetRun(400);
    pipeline_->Kill("capture");
    pipeline_->Kill("replay");
    sigkills_ += 2;
    RETURN_IF_ERROR(Begin("replay"));
    return Begin("capture");
  }

  // NEW crashes: commits made with synchronous_commit = off may be lost.
  absl::Status CrashNew() {
    LetRun(600);
    return example_->new_db().Restart(MiniPostgres::StopMode::kImmediate);
  }

  absl::Status CutConnections(MiniPostgres& server) {
    LetRun(300);
    return server.Execute("studio",
                          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                          "application_name ILIKE '%switchyard%' AND pid <> pg_backend_pid()");
  }

  // A second replayer is let loose, then the first one dies: the other must take over.
  absl::Status Rival() {
    RETURN_IF_ERROR(pipeline_->Start("replay", "", "rival"));
    LetRun(600);
    pipeline_->Kill("replay");
    LetRun(1500);
    pipeline_->Kill("rival");
    sigkills_ += 2;
    return Begin("replay");
  }

  absl::Status Disturb() {
    using Disturbance = std::pair<const char*, std::function<absl::Status()>>;
    const std::vector<Disturbance> all = {
        {"capture killed", [this] { return Kill("capture"); }},
        {"replay killed", [this] { return Kill("replay"); }},
        {"capture dies", [this] { return DieAt("capture", kCaptureFaults); }},
        {"replay dies", [this] { return DieAt("replay", kReplayFaults); }},
        {"replay dies", [this] { return DieAt("replay", kReplayFaults); }},
        {"both killed", [this] { return KillBoth(); }},
        {"a second replayer", [this] { return Rival(); }},
        {"NEW crashes", [this] { return CrashNew(); }},
        {"OLD's connections cut", [this] { return CutConnections(example_->old_db()); }},
        {"NEW's connections cut", [this] { return CutConnections(example_->new_db()); }}};
    const Disturbance& chosen = all[Below(static_cast<int>(all.size()))];
    std::cout << chosen.first << std::endl;
    return chosen.second();
  }

  void StartEverything() {
    ASSERT_OK_AND_ASSIGN(example_, StudioExample::Start({.scale = 40, .nasty = true}));
    pipeline_ =
        std::make_unique<Pipeline>(Pipeline::Options{.migration_file = example_->migration_file(),
                                                     .old_dsn = example_->old_dsn(),
                                                     .new_dsn = example_->new_dsn(),
                                                     .stream = "studio_bookings.forward",
                                                     .log_folder = example_->folder()});
    ASSERT_OK(pipeline_->Prepare());
    ASSERT_OK_AND_ASSIGN(workload_,
                         example_->StartWorkload({"--rate", "100", "--seed", std::to_string(seed_)},
                                                 example_->folder() + "/workload.json"));
    ASSERT_OK(Begin("replay"));
    ASSERT_OK(Begin("capture"));
  }

  void StopWorkload() {
    kill(workload_, SIGTERM);
    int status = 0;
    ASSERT_EQ(waitpid(workload_, &status, 0), workload_);
    EXPECT_EQ(status, 0) << ReadFileOrEmpty(example_->folder() + "/workload.json");
  }

  void ExpectNewIsTheMappingOfOld() {
    ASSERT_OK(pipeline_->AwaitCaughtUp(absl::Minutes(3)));
    ASSERT_OK_AND_ASSIGN(const auto tables, example_->Compare());
    for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
    ASSERT_OK_AND_ASSIGN(const int64_t quarantined, pipeline_->Quarantined());
    EXPECT_EQ(quarantined, 0);
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  int sigkills_ = 0;
  pid_t workload_ = 0;
  std::unique_ptr<StudioExample> example_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(ChaosTest, NewIsTheMappingOfOldWhateverDies) {
  ASSERT_NO_FATAL_FAILURE(StartEverything());
  for (int i = 0; i < kDisturbances || sigkills_ < kSigkillsMin; ++i) {
    const absl::Status disturbed = Disturb();
    if (!disturbed.ok()) StopWorkload();
    ASSERT_OK(disturbed) << "seed " << seed_;
  }
  ASSERT_NO_FATAL_FAILURE(StopWorkload());
  std::cout << sigkills_ << " SIGKILLs\n";
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
