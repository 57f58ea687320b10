// What the replayer lets the log forget.
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/await.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using eventlog::Offset;

// Lets nobody trim it, and notes when somebody wants what the target still needs.
class UntrimmedLog : public eventlog::EventLog {
 public:
  UntrimmedLog(eventlog::EventLog& log, std::unique_ptr<pg::Session> target)
      : log_(log), target_(std::move(target)) {}

  absl::Status CreateTopic(const std::string& topic) override { return log_.CreateTopic(topic); }
  absl::StatusOr<eventlog::TopicInfo> Describe(const std::string& topic) override {
    return log_.Describe(topic);
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogWriter>> OpenWriter(
      const std::string& topic) override {
    return log_.OpenWriter(topic);
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> OpenReader(const std::string& topic,
                                                                  Offset from) override {
    return log_.OpenReader(topic, from);
  }
  absl::Status Trim(const std::string& topic, Offset before) override {
    ASSIGN_OR_RETURN(const pg::Result row,
                     target_->Query("SELECT log_offset, copy_offset FROM switchyard.stream"));
    const bool changes = topic == "test.forward.changes";
    if (before > row.i64(0, changes ? 0 : 1)) too_far_ = true;
    if (changes) last_ = before;
    return absl::UnavailableError("not now");
  }

  Offset last() const { return last_; }  // of the changes
  bool too_far() const { return too_far_; }

 private:
  eventlog::EventLog& log_;
  const std::unique_ptr<pg::Session> target_;
  std::atomic<Offset> last_ = 0;
  std::atomic<bool> too_far_ = false;
};

class TrimTest : public testing::ReplayFixture {};

// Commits are asynchronous: a crash of NEW takes the last of them back.
TEST_F(TrimTest, ATargetThatWentBackFindsOnTheLogWhatItLost) {
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY)";
  ASSERT_OK(Start(kTable, kTable, "  - {table: public.t, copy: t}\n"));
  ASSERT_OK(CatchUp());
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(OnNew("CREATE TABLE before_crash AS SELECT * FROM switchyard.stream"));
  for (int i = 0; i < 400; ++i) ASSERT_OK(OnOld(absl::StrCat("INSERT INTO t VALUES (", i, ")")));
  ASSERT_OK(capture_->Pump());

  ASSERT_OK_AND_ASSIGN(auto session, server_->Connect("new_db"));
  UntrimmedLog log(*log_, std::move(session));
  options_.trim_interval = absl::Milliseconds(1);
  options_.batch_rows_max = 1;
  Cancel cancel;
  std::thread thread([&] {
    Replayer replayer(options_, plan_, log, cancel);
    EXPECT_EQ(replayer.Run().code(), absl::StatusCode::kCancelled);
  });
  ASSERT_OK_AND_ASSIGN(const eventlog::TopicInfo topic, log.Describe(options_.change_topic));
  EXPECT_OK(
      testing::Await("all read", absl::Seconds(60), [&] { return log.last() == topic.next; }));
  EXPECT_OK(
      OnNew("BEGIN; DELETE FROM t; UPDATE switchyard.stream s SET epoch = b.epoch, lsn = b.lsn, "
            "covered_lsn = b.covered_lsn, log_offset = b.log_offset FROM before_crash b; COMMIT;"
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
            "'switchyard replay' AND datname = current_database()"));
  EXPECT_OK(AwaitNew("SELECT count(*) FROM t", "400"));
  EXPECT_FALSE(log.too_far());
  cancel.Request();
  thread.join();
}

TEST_F(TrimTest, TheCopyIsForgottenOnceItIsLoaded) {
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY)";
  options_.trim_interval = absl::Milliseconds(1);
  ASSERT_OK(Start(kTable, kTable, "  - {table: public.t, copy: t}\n",
                  "INSERT INTO t SELECT generate_series(1, 1000)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK_AND_ASSIGN(const eventlog::TopicInfo topic, log_->Describe(options_.copy_topic));
  EXPECT_OK(testing::Await("trimmed", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const eventlog::TopicInfo now, log_->Describe(options_.copy_topic));
    return now.first == topic.next;
  }));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(StartReplayer());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (0)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM t"), "1001");
}

}  // namespace
}  // namespace switchyard::replayer
