#include "capture/publish/log_coverage.h"

#include "capture/publish/event_encoder.h"
#include "common/eventlog/memory_log.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::StatusIs;

class LogCoverageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(log_.CreateTopic("t"));
    auto writer = log_.OpenWriter("t");
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
  }

  template <typename Fill>
  void Write(uint64_t epoch, Fill fill) {
    EventEncoder encoder(epoch);
    fill(encoder.New());
    ASSERT_OK(writer_->Append("", encoder.Serialize()));
  }
  void Hello(uint64_t epoch, uint64_t start) {
    Write(epoch, [&](auto& event) { event.mutable_hello()->set_start_lsn(start); });
  }
  void Commit(uint64_t epoch, uint64_t end) {
    Write(epoch, [&](auto& event) { event.mutable_commit()->set_end_lsn(end); });
  }
  void Row(uint64_t epoch) {
    Write(epoch, [&](auto& event) { event.mutable_row()->set_relation_id(1); });
  }
  LogCoverage Find() {
    EXPECT_OK(writer_->Flush(absl::Seconds(10)));
    auto coverage = FindLogCoverage(log_, "t", cancel_);
    EXPECT_OK(coverage);
    return coverage.ok() ? *coverage : LogCoverage();
  }

  Cancel cancel_;
  eventlog::MemoryLog log_{cancel_};
  std::unique_ptr<eventlog::LogWriter> writer_;
};

TEST_F(LogCoverageTest, EmptyLogCoversNothing) {
  EXPECT_TRUE(Find().empty);
  EXPECT_THAT(FindLogCoverage(log_, "none", cancel_),
              StatusIs(absl::StatusCode::kNotFound, ::testing::_));
}

TEST_F(LogCoverageTest, LastCommitHeartbeatOrHelloTells) {
  Hello(1, 100);
  EXPECT_EQ(Find().covered, Lsn(100));
  Commit(1, 120);
  EXPECT_EQ(Find().covered, Lsn(120));
  Row(1);  // of a transaction without its Commit
  EXPECT_EQ(Find().covered, Lsn(120));
  Write(1, [](auto& event) { event.mutable_heartbeat()->set_lsn(130); });
  EXPECT_EQ(Find().covered, Lsn(130));
  EXPECT_EQ(Find().epoch, 1u);
}

TEST_F(LogCoverageTest, ANewEpochCountsFromItsHelloOn) {
  Hello(1, 100);
  Commit(1, 150);
  Hello(2, 120);
  Commit(1, 160);  // written by a capture that was replaced
  EXPECT_EQ(Find().covered, Lsn(120));
  EXPECT_EQ(Find().epoch, 2u);
}

TEST_F(LogCoverageTest, TellsHowFarAnyEpochCame) {
  Hello(1, 100);
  Commit(1, 150);
  Hello(2, 120);
  EXPECT_EQ(Find().covered, Lsn(120));
  EXPECT_EQ(Find().reached, Lsn(150));
}

TEST_F(LogCoverageTest, LooksBackOverATransactionOfAnyLength) {
  Hello(1, 100);
  Commit(1, 120);
  for (int i = 0; i < 50'000; ++i) Row(1);
  EXPECT_EQ(Find().covered, Lsn(120));
}

TEST_F(LogCoverageTest, WhatWasTrimmedTellsNothing) {
  Hello(1, 100);
  Commit(1, 120);
  for (int i = 0; i < 10; ++i) Row(1);
  ASSERT_OK(writer_->Flush(absl::Seconds(10)));
  ASSERT_OK(log_.Trim("t", 5));
  EXPECT_FALSE(Find().empty);
  EXPECT_TRUE(Find().trimmed);
  EXPECT_FALSE(Find().covered.valid());
  ASSERT_OK(log_.Trim("t", 12));
  EXPECT_TRUE(Find().empty);
  EXPECT_TRUE(Find().trimmed);
}

// A broker that goes away after the first answer: readers give nothing, as from one that is slow.
class LogThatGoesAway : public eventlog::MemoryLog {
 public:
  using MemoryLog::MemoryLog;
  absl::StatusOr<eventlog::TopicInfo> Describe(const std::string& topic) override {
    if (std::exchange(asked_, true)) return absl::UnavailableError("no broker answers");
    return MemoryLog::Describe(topic);
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> OpenReader(const std::string&,
                                                                  eventlog::Offset) override {
    class Silent : public eventlog::LogReader {
      absl::Status Read(absl::Duration, std::vector<eventlog::LogRecord>* out) override {
        out->clear();
        return absl::OkStatus();
      }
      absl::Status Seek(eventlog::Offset) override { return absl::OkStatus(); }
    };
    return std::make_unique<Silent>();
  }

 private:
  bool asked_ = false;
};

TEST_F(LogCoverageTest, ALogThatIsAwayIsNoLogThatLostItsEnd) {
  LogThatGoesAway log(cancel_);
  ASSERT_OK(log.CreateTopic("t"));
  ASSERT_OK_AND_ASSIGN(const auto writer, log.OpenWriter("t"));
  ASSERT_OK(writer->Append("", "record"));
  ASSERT_OK(writer->Flush(absl::Seconds(10)));
  EXPECT_THAT(FindLogCoverage(log, "t", cancel_, absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kUnavailable, ::testing::HasSubstr("no broker answers")));
}

// A replayer applies and trims while capture looks for the end.
class LogTrimmedMeanwhile : public eventlog::MemoryLog {
 public:
  LogTrimmedMeanwhile(const Cancel& cancel, eventlog::Offset before)
      : MemoryLog(cancel), before_(before) {}
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> OpenReader(const std::string& topic,
                                                                  eventlog::Offset from) override {
    ++opened_;
    RETURN_IF_ERROR(Trim(topic, before_));
    return MemoryLog::OpenReader(topic, from);
  }
  int opened() const { return opened_; }

 private:
  const eventlog::Offset before_;
  int opened_ = 0;
};

TEST_F(LogCoverageTest, WhatIsTrimmedDuringTheLookIsNoLoss) {
  for (const eventlog::Offset before : {2, 4}) {  // with and without something left to read
    LogTrimmedMeanwhile log(cancel_, before);
    ASSERT_OK(log.CreateTopic("t"));
    ASSERT_OK_AND_ASSIGN(writer_, log.OpenWriter("t"));
    Hello(1, 100);
    Row(1);
    Row(1);
    Commit(1, 120);
    ASSERT_OK(writer_->Flush(absl::Seconds(10)));
    ASSERT_OK_AND_ASSIGN(const LogCoverage coverage, FindLogCoverage(log, "t", cancel_));
    EXPECT_TRUE(coverage.trimmed);
    EXPECT_EQ(coverage.empty, before == 4);
    EXPECT_EQ(coverage.covered, before == 4 ? Lsn() : Lsn(120));
  }
}

TEST_F(LogCoverageTest, ALossThatNoTrimmingExplainsIsALoss) {
  class Damaged : public LogTrimmedMeanwhile {
   public:
    using LogTrimmedMeanwhile::LogTrimmedMeanwhile;
    absl::StatusOr<std::unique_ptr<eventlog::LogReader>> OpenReader(
        const std::string& topic, eventlog::Offset from) override {
      RETURN_IF_ERROR(LogTrimmedMeanwhile::OpenReader(topic, from).status());
      return absl::DataLossError("the log is damaged");
    }
  };
  Damaged log(cancel_, 1);  // the first loss may be due to the trimming, the second can't be
  ASSERT_OK(log.CreateTopic("t"));
  ASSERT_OK_AND_ASSIGN(writer_, log.OpenWriter("t"));
  Hello(1, 100);
  Commit(1, 120);
  ASSERT_OK(writer_->Flush(absl::Seconds(10)));
  EXPECT_THAT(FindLogCoverage(log, "t", cancel_),
              StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr("damaged")));
  EXPECT_EQ(log.opened(), 2);
}

}  // namespace
}  // namespace switchyard::capture
