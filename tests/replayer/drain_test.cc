// A replayer whose capture had to stop: it applies what the log holds, and ends.
#include <future>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text)";
constexpr char kMapping[] = "  - {table: public.t, copy: t}\n";

class DrainTest : public testing::ReplayFixture {
 protected:
  void SetUp() override {
    ReplayFixture::SetUp();
    options_.drain = &drain_;
    options_.drain_idle = absl::Milliseconds(50);
    drain_.Request();
  }
  // What Run returns.
  std::future<absl::Status> Run() {
    return std::async(std::launch::async, [this] {
      Replayer replayer(options_, plan_, *log_, cancel_);
      return replayer.Run();
    });
  }
  bool EndsWithin(std::future<absl::Status>& run, std::chrono::milliseconds limit) {
    return run.wait_for(limit) == std::future_status::ready;
  }
  // The copy as a capture leaves it that stops in the middle.
  void LeaveOutTheEnd() {
    ASSERT_OK_AND_ASSIGN(auto reader, log_->OpenReader(options_.copy_topic, 0));
    options_.copy_topic = "test.forward.half";
    ASSERT_OK(log_->CreateTopic(options_.copy_topic));
    ASSERT_OK_AND_ASSIGN(auto writer, log_->OpenWriter(options_.copy_topic));
    std::vector<eventlog::LogRecord> records;
    ASSERT_OK(reader->Read(absl::Seconds(10), &records));
    for (const eventlog::LogRecord& record : records) {
      event::v1::Event event;
      ASSERT_TRUE(event.ParseFromString(std::string(record.payload)));
      if (event.has_copy_end()) continue;
      ASSERT_OK(writer->Append("", record.payload));
    }
    ASSERT_OK(writer->Flush(absl::Seconds(10)));
  }

  Cancel drain_;
  Cancel cancel_;
};

TEST_F(DrainTest, AppliesWhatTheLogHoldsAndEnds) {
  ASSERT_OK(Prepare(kTable, kTable, kMapping, "INSERT INTO t VALUES (1, 'copied')"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'streamed')"));
  ASSERT_OK(capture_->Pump());
  std::future<absl::Status> run = Run();
  ASSERT_TRUE(EndsWithin(run, std::chrono::seconds(60)));
  EXPECT_EQ(run.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(New("SELECT string_agg(v, ' ' ORDER BY id) FROM t"), "copied streamed");
}

TEST_F(DrainTest, EndsWhenNewStaysAway) {
  ASSERT_OK(Prepare(kTable, kTable, kMapping));
  options_.target.dsn = "host=/nowhere dbname=new_db";
  options_.drain_patience = absl::Milliseconds(300);
  std::future<absl::Status> run = Run();
  const bool ended = EndsWithin(run, std::chrono::seconds(30));
  cancel_.Request();
  EXPECT_TRUE(ended);
  EXPECT_EQ(run.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(DrainTest, WaitsForWhatTheCopyIsStillLoading) {
  ASSERT_OK(Prepare(kTable, kTable, kMapping,
                    "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 150) i"));
  ASSERT_NO_FATAL_FAILURE(LeaveOutTheEnd());
  ASSERT_OK_AND_ASSIGN(const auto locker, server_->Connect("new_db"));
  ASSERT_OK(locker->Execute("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE"));
  std::future<absl::Status> run = Run();
  ASSERT_OK(AwaitNew("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", "t"));
  EXPECT_FALSE(EndsWithin(run, std::chrono::milliseconds(500)));
  ASSERT_OK(locker->Execute("COMMIT"));
  EXPECT_EQ(run.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(New("SELECT count(*) FROM t"), "150");
}

// Design: "exactly L" is every commit below L and none at or above it.
TEST_F(DrainTest, WhatIsHeldBackStaysOnTheLog) {
  ASSERT_OK(Prepare(kTable, kTable, kMapping));
  Lsn second;
  for (int id = 1; id <= 3; ++id) {
    ASSERT_OK(OnOld(absl::StrCat("INSERT INTO t VALUES (", id, ")")));
    ASSERT_OK(capture_->Pump());
    if (id == 2) second = capture_->last_commit();
  }
  for (const auto& [hold, rows] : {std::pair("'" + second.ToString() + "'", "1"),
                                   std::pair("'" + Lsn(second.value() + 1).ToString() + "'", "2"),
                                   std::pair(std::string("NULL"), "3")}) {
    ASSERT_OK(OnNew("UPDATE switchyard.stream SET hold_lsn = " + hold));
    std::future<absl::Status> run = Run();
    ASSERT_TRUE(EndsWithin(run, std::chrono::seconds(60)));
    EXPECT_EQ(New("SELECT count(*) FROM t"), rows) << "held at " << hold;
  }
}

}  // namespace
}  // namespace switchyard::replayer
