// Writers killed at any moment: nothing that was reported durable is lost, no record is torn.
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/eventlog/event_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/eventlog/child_writer.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::eventlog {
namespace {

constexpr char kTopic[] = "changes";

class SqliteCrashTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/events.log"; }

  // Reads the whole topic and returns how many records each epoch has; checks each one's content.
  std::map<uint64_t, uint64_t> ReadEpochs(int large_every) {
    std::map<uint64_t, uint64_t> counts;
    auto log = OpenEventLog({.sqlite_path = path()}, cancel_);
    EXPECT_OK(log);
    auto info = (*log)->Describe(kTopic);
    EXPECT_OK(info);
    auto reader = (*log)->OpenReader(kTopic, 0);
    EXPECT_OK(reader);
    uint64_t epoch = 1;
    std::vector<LogRecord> records;
    while (true) {
      EXPECT_OK((*reader)->Read(absl::ZeroDuration(), &records));
      if (records.empty()) return counts;
      for (const LogRecord& record : records) {
        while (record.payload != ChildRecord(epoch, counts[epoch] + 1, large_every)) {
          if (++epoch > 1000) {
            ADD_FAILURE() << "record at offset " << record.offset << " is in no epoch's order";
            return counts;
          }
        }
        ++counts[epoch];
      }
    }
  }

  testing::TempDir folder_{FastFolder()};
  Cancel cancel_;
};

// Promise 3.
TEST_F(SqliteCrashTest, LosesNothingDurableWhenTheWriterIsKilledAtAnyMoment) {
  constexpr int kRounds = 10;
  constexpr int kLargeEvery = 97;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::map<uint64_t, uint64_t> durable;
  for (uint64_t epoch = 1; epoch <= kRounds; ++epoch) {
    ChildWriter child(
        {.log_path = path(), .topic = kTopic, .epoch = epoch, .large_every = kLargeEvery});
    const int reports = std::uniform_int_distribution<int>(1, 40)(random);
    for (int i = 0; i < reports; ++i) {
      const std::optional<uint64_t> sequence = child.NextDurable();
      ASSERT_TRUE(sequence.has_value());
      durable[epoch] = *sequence;
    }
    child.Kill();
    while (const std::optional<uint64_t> sequence = child.NextDurable()) durable[epoch] = *sequence;
  }
  const std::map<uint64_t, uint64_t> kept = ReadEpochs(kLargeEvery);
  for (const auto& [epoch, sequence] : durable) {
    ASSERT_TRUE(kept.contains(epoch));
    EXPECT_GE(kept.at(epoch), sequence) << "epoch " << epoch;
  }
}

TEST_F(SqliteCrashTest, DiesAroundACommitWithoutHarm) {
  for (const char* fault : {"eventlog.before_commit:3", "eventlog.after_commit:3"}) {
    SCOPED_TRACE(fault);
    const uint64_t epoch = std::string_view(fault).find("before") != std::string::npos ? 1 : 2;
    ChildWriter child({.log_path = path(), .topic = kTopic, .epoch = epoch, .fault = fault});
    uint64_t durable = 0;
    while (const std::optional<uint64_t> sequence = child.NextDurable()) durable = *sequence;
    EXPECT_GE(ReadEpochs(0)[epoch], durable);
  }
}

TEST_F(SqliteCrashTest, TailsAnotherProcessThroughItsDeathAndSuccessor) {
  ASSERT_OK_AND_ASSIGN(const auto log, OpenEventLog({.sqlite_path = path()}, cancel_));
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    ChildWriter child({.log_path = path(), .topic = kTopic, .epoch = epoch});
    uint64_t durable = 0;
    for (int i = 0; i < 10; ++i) durable = child.NextDurable().value_or(0);
    ASSERT_GT(durable, 0U);
    child.Kill();
    while (const std::optional<uint64_t> sequence = child.NextDurable()) durable = *sequence;
    // Everything reported is there, in order, read by a reader that was there before the writer.
    uint64_t seen = 0;
    std::vector<LogRecord> records;
    while (seen < durable) {
      ASSERT_OK(reader->Read(absl::Seconds(30), &records));
      ASSERT_FALSE(records.empty());
      for (const LogRecord& record : records) {
        ASSERT_EQ(record.payload, ChildRecord(epoch, ++seen, 0));
      }
    }
    // Committed, but not reported any more.
    ASSERT_OK(reader->Read(absl::ZeroDuration(), &records));
    for (const LogRecord& record : records) {
      ASSERT_EQ(record.payload, ChildRecord(epoch, ++seen, 0));
    }
  }
}

}  // namespace
}  // namespace switchyard::eventlog
