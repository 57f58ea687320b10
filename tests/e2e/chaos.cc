#include "tests/e2e/chaos.h"

#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/base/wait/cancel.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

constexpr int kCopyDisturbances = 8;
constexpr int kStreamDisturbances = 22;
constexpr int kSigkillsMin = 20;
constexpr absl::Duration kFaultReachedWithin = absl::Seconds(3);

const std::vector<FaultPoint> kCaptureCopyFaults = {
    {"capture.creating_recorded", 1}, {"capture.slot_created", 1}, {"capture.stream_created", 1},
    {"capture.copy_begun", 3},        {"capture.copy_flushed", 3}, {"capture.epoch_taken", 1},
    {"eventlog.before_commit", 3},    {"eventlog.after_commit", 3}};
const std::vector<FaultPoint> kCaptureFaults = {{"capture.epoch_taken", 1},
                                                {"capture.before_acknowledge", 3},
                                                {"eventlog.before_commit", 3},
                                                {"eventlog.after_commit", 3}};
const std::vector<FaultPoint> kReplayCopyFaults = {{"replayer.before_copy_commit", 3},
                                                   {"replayer.after_copy_commit", 3},
                                                   {"replayer.deriving", 3}};
const std::vector<FaultPoint> kReplayFaults = {{"replayer.after_begin", 3},
                                               {"replayer.after_mirror", 3},
                                               {"replayer.before_commit", 3},
                                               {"replayer.after_commit", 3}};

uint64_t Seed() {
  const char* text = std::getenv("SWITCHYARD_CHAOS_SEED");
  uint64_t seed = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &seed)) return seed;
  return 20250101;
}

}  // namespace

ChaosTest::ChaosTest() : seed_(Seed()), random_(seed_) {
  std::cout << "seed " << seed_ << "; again: SWITCHYARD_CHAOS_SEED=" << seed_ << std::endl;
}

int ChaosTest::Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

void ChaosTest::LetRun(int milliseconds_max) {
  const Cancel never;
  never.WaitFor(absl::Milliseconds(Below(milliseconds_max)));
}

absl::Status ChaosTest::KillAndStart(const std::string& role, int milliseconds_max) {
  LetRun(milliseconds_max);
  pipeline_->Kill(role);
  CountKill();
  return pipeline_->Start(role);
}

// Starts the role so that it kills itself at a named point, or kills it if it never gets there.
absl::Status ChaosTest::DieAt(const std::string& role, const std::vector<FaultPoint>& points) {
  const FaultPoint& point = points[Below(static_cast<int>(points.size()))];
  const std::string fault = absl::StrFormat("%s:%d", point.name, 1 + Below(point.pass_max));
  pipeline_->Kill(role);
  CountKill();
  RETURN_IF_ERROR(pipeline_->Start(role, fault));
  const absl::StatusOr<int> result = pipeline_->process(role)->Wait(kFaultReachedWithin);
  std::cout << "  at " << fault << (result.ok() ? "" : ": not reached") << std::endl;
  pipeline_->Kill(role);
  CountKill();
  return pipeline_->Start(role);
}

absl::Status ChaosTest::KillBoth() {
  LetRun(400);
  pipeline_->Kill("capture");
  pipeline_->Kill("replay");
  CountKill();
  CountKill();
  RETURN_IF_ERROR(pipeline_->Start("replay"));
  return pipeline_->Start("capture");
}

// Commits made with synchronous_commit = off may be lost.
absl::Status ChaosTest::CrashNew() {
  LetRun(600);
  return example_->new_db().Restart(MiniPostgres::StopMode::kImmediate);
}

absl::Status ChaosTest::CutConnections(MiniPostgres& server) {
  LetRun(300);
  return server.Execute("studio",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                        "application_name ILIKE '%switchyard%' AND pid <> pg_backend_pid()");
}

// A second one of the role is let loose, then the first dies: the other must take over.
absl::Status ChaosTest::Rival(const std::string& role) {
  RETURN_IF_ERROR(pipeline_->Start(role, "", "rival"));
  LetRun(600);
  pipeline_->Kill(role);
  LetRun(1500);
  pipeline_->Kill("rival");
  CountKill();
  CountKill();
  return pipeline_->Start(role);
}

std::vector<ChaosTest::Disturbance> ChaosTest::OfTheCopy() {
  return {{"copy: capture killed", [this] { return KillAndStart("capture", 300); }},
          {"copy: replay killed", [this] { return KillAndStart("replay", 300); }},
          {"copy: capture dies", [this] { return DieAt("capture", kCaptureCopyFaults); }},
          {"copy: replay dies", [this] { return DieAt("replay", kReplayCopyFaults); }},
          {"copy: NEW crashes", [this] { return CrashNew(); }}};
}

std::vector<ChaosTest::Disturbance> ChaosTest::OfTheStream() {
  return {{"capture killed", [this] { return KillAndStart("capture", 600); }},
          {"replay killed", [this] { return KillAndStart("replay", 600); }},
          {"capture dies", [this] { return DieAt("capture", kCaptureFaults); }},
          {"replay dies", [this] { return DieAt("replay", kReplayFaults); }},
          {"both killed", [this] { return KillBoth(); }},
          {"a second capture", [this] { return Rival("capture"); }},
          {"a second replay", [this] { return Rival("replay"); }},
          {"NEW crashes", [this] { return CrashNew(); }},
          {"OLD's connections cut", [this] { return CutConnections(example_->old_db()); }},
          {"NEW's connections cut", [this] { return CutConnections(example_->new_db()); }}};
}

absl::Status ChaosTest::Disturb(const std::vector<Disturbance>& choice) {
  const Disturbance& chosen = choice[Below(static_cast<int>(choice.size()))];
  std::cout << chosen.first << std::endl;
  return chosen.second();
}

void ChaosTest::StartEverything(StudioExample::Options example) {
  example.scale = 60;
  example.nasty = true;
  ASSERT_OK_AND_ASSIGN(example_, StudioExample::Start(std::move(example)));
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
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->Start("capture"));
}

void ChaosTest::StopWorkload() {
  kill(workload_, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(workload_, &status, 0), workload_);
  EXPECT_EQ(status, 0) << ReadFileOrEmpty(example_->folder() + "/workload.json");
}

void ChaosTest::ExpectNewIsTheMappingOfOld() {
  ASSERT_OK(pipeline_->AwaitCaughtUp(absl::Minutes(3)));
  ASSERT_OK_AND_ASSIGN(const auto tables, example_->Compare());
  for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
  ASSERT_OK_AND_ASSIGN(const int64_t quarantined, pipeline_->Quarantined());
  EXPECT_EQ(quarantined, 0);
}

void ChaosTest::Survive(StudioExample::Options example, std::vector<Disturbance> more) {
  ASSERT_NO_FATAL_FAILURE(StartEverything(std::move(example)));
  std::vector<Disturbance> of_stream = OfTheStream();
  of_stream.insert(of_stream.end(), more.begin(), more.end());
  absl::Status disturbed;
  for (int i = 0; i < kCopyDisturbances && disturbed.ok(); ++i) disturbed = Disturb(OfTheCopy());
  for (int i = 0; i < kStreamDisturbances && disturbed.ok(); ++i) disturbed = Disturb(of_stream);
  ASSERT_NO_FATAL_FAILURE(StopWorkload());
  ASSERT_OK(disturbed) << "seed " << seed_;
  std::cout << sigkills_ << " SIGKILLs" << std::endl;
  EXPECT_GE(sigkills_, kSigkillsMin);
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

}  // namespace switchyard::testing
