// Promise 3 for capture: killed at any point, any number of times, its stream has no gap and a
// reader ends with what the source holds. SIGKILL of a real process, on a real log file.
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/capture/capture_fixture.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::Spawn;

constexpr uint64_t kSeed = 20260315;

class CaptureKillTest : public testing::CaptureTest {
 protected:
  void SetUp() override {
    CaptureTest::SetUp();
    auto folder = switchyard::testing::MakeTempFolder("capture_kill");
    ASSERT_OK(folder);
    folder_ = *folder;
    tables_ = {{"", "t"}, {"", "u"}};
    Run("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY, a text);"
        "ALTER TABLE u REPLICA IDENTITY FULL;"
        "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i;"
        "INSERT INTO u SELECT i, i FROM generate_series(1, 200) i");
    SetUpSource();
  }
  void TearDown() override {
    if (pid_ > 0) Kill();
    file_log_.reset();
    CaptureTest::TearDown();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void SpawnCapture(const std::string& fault) {
    switchyard::testing::Command command{
        .argv = {CAPTURE_PROCESS, capture_dsn(), folder_ + "/log.sqlite", "shop_" + database_, "t",
                 "u"},
        .output_path = folder_ + "/output"};
    if (!fault.empty()) command.environment = {{"SWITCHYARD_FAULT", fault}};
    ASSERT_OK_AND_ASSIGN(pid_, Spawn(command));
  }
  // Reaps it once it died by itself, at most a minute.
  bool AwaitDeath() {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    int status = 0;
    while (absl::Now() < deadline) {
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void Write(int round) {
    Run(absl::StrCat("BEGIN; UPDATE t SET a = 'r", round, "' WHERE id % 7 = ", round % 7,
                     "; INSERT INTO u VALUES (", 10'000 + round,
                     ", 'n'); DELETE FROM u WHERE id = ", round + 1, "; COMMIT"));
  }
  void AwaitEpochAbove(uint64_t epoch) {
    AwaitScalar(
        "SELECT count(*) FROM switchyard.capture_stream WHERE epoch > " + absl::StrCat(epoch), "1");
  }
  uint64_t Epoch() {
    const std::string epoch = Scalar("SELECT epoch FROM switchyard.capture_stream");
    return epoch.empty() ? 0 : std::stoull(epoch);
  }
  void ExpectEqualityInTheEnd() {
    const uint64_t epoch = Epoch();
    SpawnCapture("");
    AwaitEpochAbove(epoch);
    Write(99);
    OpenLog();
    ExpectReplicaEqualsSource();
  }
  void OpenLog() {
    auto log = eventlog::OpenEventLog({.sqlite_path = folder_ + "/log.sqlite"}, log_cancel_);
    ASSERT_OK(log);
    file_log_ = *std::move(log);
    log_ = file_log_.get();
  }

  std::string folder_;
  pid_t pid_ = 0;
  std::unique_ptr<eventlog::EventLog> file_log_;
};

class CaptureFaultTest : public CaptureKillTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(CaptureFaultTest, GoesOnAfterDyingThere) {
  SpawnCapture(GetParam());
  // Writes until it is dead: some points are passed only when there is something to capture.
  std::atomic<bool> dead = false;
  std::thread watcher([&] { dead = AwaitDeath(); });
  for (int i = 0; i < 40 && !dead; ++i) Write(i);
  watcher.join();
  ASSERT_TRUE(dead) << "not killed at " << GetParam() << ": "
                    << switchyard::testing::ReadFileOrEmpty(folder_ + "/output");
  Write(50);
  ExpectEqualityInTheEnd();
}

INSTANTIATE_TEST_SUITE_P(Points, CaptureFaultTest,
                         ::testing::Values("capture.creating_recorded", "capture.slot_created",
                                           "capture.stream_created", "capture.epoch_taken",
                                           "capture.copy_begun", "capture.copy_flushed",
                                           "capture.before_acknowledge",
                                           "capture.before_acknowledge:3"));

TEST_F(CaptureKillTest, KilledAtRandomMoments) {
  SCOPED_TRACE(absl::StrCat("seed ", kSeed));
  std::mt19937_64 random(kSeed);
  for (int kill = 0; kill < 6; ++kill) {
    const uint64_t epoch = Epoch();
    SpawnCapture("");
    // Half of them before the epoch is taken, at any point of the start.
    if (random() % 2 == 0) AwaitEpochAbove(epoch);
    const auto rounds = static_cast<int>(random() % 12);
    for (int i = 0; i < rounds; ++i) Write(kill * 12 + i);
    absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(random() % 120)));
    Kill();
  }
  ExpectEqualityInTheEnd();
}

}  // namespace
}  // namespace switchyard::capture
