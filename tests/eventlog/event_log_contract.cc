// The contract of EventLog, met by every implementation.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::eventlog {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Minutes(1);

std::vector<std::string> PayloadsOf(const std::vector<ReadBack>& records) {
  std::vector<std::string> payloads;
  payloads.reserve(records.size());
  for (const ReadBack& record : records) payloads.push_back(record.payload);
  return payloads;
}

// Appends `count` events "0", "1" ... and waits until they are durable.
void AppendNumbers(LogWriter& writer, int from, int count) {
  for (int i = from; i < from + count; ++i) {
    ASSERT_OK(writer.Append("key", MakeEvent(1, absl::StrCat(i))));
  }
  ASSERT_OK(writer.Flush(kLong));
}

TEST_P(EventLogTest, DeliversRecordsInTheOrderTheyWereAppended) {
  constexpr int kCount = 20'000;
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  for (int i = 0; i < kCount; ++i) {
    ASSERT_OK_AND_ASSIGN(const uint64_t sequence,
                         writer->Append("key", MakeEvent(1, absl::StrCat(i))));
    ASSERT_EQ(sequence, static_cast<uint64_t>(i + 1));
  }
  ASSERT_OK(writer->Flush(kLong));
  EXPECT_EQ(writer->durable_sequence(), static_cast<uint64_t>(kCount));

  const auto reader = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, kCount));
  ASSERT_EQ(records.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(TextOf(records[i].payload), absl::StrCat(i));
    if (i > 0) {
      ASSERT_GT(records[i].offset, records[i - 1].offset);
    }
  }
}

TEST_P(EventLogTest, ShowsNoRecordBeforeItIsDurable) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  const auto reader = ReaderOf(t(), 0);
  std::vector<LogRecord> records;
  uint64_t seen = 0;
  for (uint64_t i = 1; i <= 200; ++i) {
    ASSERT_OK(writer->Append("key", MakeEvent(1, absl::StrCat(i))));
    if (i % 20 == 0) writer->Nudge();
    ASSERT_OK(reader->Read(absl::ZeroDuration(), &records));
    seen += records.size();
  }
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto rest, ReadSome(*reader, 200 - seen));
  EXPECT_EQ(seen + rest.size(), 200U);
}

TEST_P(EventLogTest, BecomesDurableAfterANudgeAlone) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  ASSERT_OK(writer->Append("key", MakeEvent(1, "a")));
  writer->Nudge();
  const auto reader = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 1));
  EXPECT_EQ(records.size(), 1U);
}

TEST_P(EventLogTest, CarriesALargeRecordWholeBetweenSmallOnes) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const std::string large = MakeEvent(1, LongText(fixture().large()));
  const auto writer = WriterOf(t());
  ASSERT_OK(writer->Append("key", MakeEvent(1, "before")));
  ASSERT_OK(writer->Append("key", large));
  ASSERT_OK_AND_ASSIGN(const uint64_t last, writer->Append("key", MakeEvent(1, "after")));
  ASSERT_OK(writer->Flush(kLong));
  EXPECT_EQ(last, 3U);
  EXPECT_EQ(writer->durable_sequence(), 3U);

  const auto reader = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 3));
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(TextOf(records[0].payload), "before");
  EXPECT_TRUE(records[1].payload == large);
  EXPECT_EQ(TextOf(records[2].payload), "after");

  ASSERT_OK(reader->Seek(records[1].offset));
  ASSERT_OK_AND_ASSIGN(const auto again, ReadSome(*reader, 2));
  ASSERT_EQ(again.size(), 2U);
  EXPECT_TRUE(again[0].payload == large);
  EXPECT_EQ(again[0].offset, records[1].offset);

  ASSERT_OK(reader->Seek(records[1].offset + 1));
  ASSERT_OK_AND_ASSIGN(const auto after, ReadSome(*reader, 1));
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(TextOf(after[0].payload), "after");
}

TEST_P(EventLogTest, CarriesEmptyPayloadsAndKeys) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  ASSERT_OK(writer->Append("", ""));
  ASSERT_OK(writer->Append("key", ""));
  ASSERT_OK(writer->Append("", MakeEvent(1, "a")));
  ASSERT_OK(writer->Flush(kLong));
  const auto reader = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 3));
  EXPECT_THAT(PayloadsOf(records), ::testing::ElementsAre("", "", MakeEvent(1, "a")));
}

TEST_P(EventLogTest, ReadsFromTheMiddleAndSeeksBothWays) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 0, 1000);
  const auto whole = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*whole, 1000));
  ASSERT_EQ(records.size(), 1000U);

  const auto reader = ReaderOf(t(), records[500].offset);
  ASSERT_OK_AND_ASSIGN(auto part, ReadSome(*reader, 500));
  EXPECT_EQ(TextOf(part.front().payload), "500");
  ASSERT_OK(reader->Seek(records[10].offset));
  ASSERT_OK_AND_ASSIGN(part, ReadSome(*reader, 990));
  EXPECT_EQ(TextOf(part.front().payload), "10");
  EXPECT_EQ(part.size(), 990U);
  ASSERT_OK(reader->Seek(records[998].offset + 1));
  ASSERT_OK_AND_ASSIGN(part, ReadSome(*reader, 1));
  EXPECT_EQ(TextOf(part.front().payload), "999");
}

TEST_P(EventLogTest, TailsWhatAnotherThreadAppends) {
  constexpr int kCount = 300;
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto reader = ReaderOf(t(), 0);
  std::thread appender([&] {
    const auto writer = WriterOf(t());
    for (int i = 0; i < kCount; ++i) {
      ASSERT_OK(writer->Append("key", MakeEvent(1, absl::StrCat(i))));
      if (i % 3 == 0) {
        writer->Nudge();
      }
      if (i % 10 == 0) {
        ASSERT_OK(writer->Flush(kLong));
      }
    }
    ASSERT_OK(writer->Flush(kLong));
  });
  const auto records = ReadSome(*reader, kCount);
  appender.join();
  ASSERT_OK(records);
  ASSERT_EQ(records->size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(TextOf((*records)[i].payload), absl::StrCat(i));
}

TEST_P(EventLogTest, ReturnsNothingWhenTheTimeOutPasses) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto reader = ReaderOf(t(), 0);
  std::vector<LogRecord> records(3);
  ASSERT_OK(reader->Read(absl::Milliseconds(20), &records));
  EXPECT_TRUE(records.empty());
}

TEST_P(EventLogTest, ContinuesWithASecondWriter) {
  ASSERT_OK(fixture().MakeTopic(t()));
  {
    const auto writer = WriterOf(t());
    AppendNumbers(*writer, 0, 100);
  }
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 100, 100);
  EXPECT_EQ(writer->durable_sequence(), 100U);
  const auto reader = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 200));
  ASSERT_EQ(records.size(), 200U);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(TextOf(records[i].payload), absl::StrCat(i));
}

TEST_P(EventLogTest, KeepsTopicsApart) {
  ASSERT_OK(fixture().MakeTopic(NameOf("a")));
  ASSERT_OK(fixture().MakeTopic(NameOf("b")));
  std::thread other([&] {
    const auto writer = WriterOf(NameOf("b"));
    AppendNumbers(*writer, 1000, 2000);
  });
  const auto writer = WriterOf(NameOf("a"));
  AppendNumbers(*writer, 0, 2000);
  other.join();
  for (const auto& [topic, from] : {std::pair{NameOf("a"), 0}, std::pair{NameOf("b"), 1000}}) {
    const auto reader = ReaderOf(topic, 0);
    ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 2000));
    ASSERT_EQ(records.size(), 2000U);
    EXPECT_EQ(TextOf(records.front().payload), absl::StrCat(from));
    EXPECT_EQ(TextOf(records.back().payload), absl::StrCat(from + 1999));
  }
}

TEST_P(EventLogTest, DescribesItsTopics) {
  EXPECT_THAT(log().Describe(NameOf("nowhere")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
  ASSERT_OK(fixture().MakeTopic(t()));
  ASSERT_OK_AND_ASSIGN(const TopicInfo empty, log().Describe(t()));
  EXPECT_EQ(empty.first, empty.next);
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 0, 50);
  ASSERT_OK_AND_ASSIGN(const TopicInfo filled, log().Describe(t()));
  const auto reader = ReaderOf(t(), filled.first);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 50));
  EXPECT_EQ(filled.first, records.front().offset);
  EXPECT_EQ(filled.next, records.back().offset + 1);
  EXPECT_EQ(filled.id, empty.id);
}

TEST_P(EventLogTest, IsSeenByALogOpenedApart) {
  const auto other = fixture().OpenAgain();
  if (other == nullptr) GTEST_SKIP() << "lives in one object";
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  ASSERT_OK_AND_ASSIGN(const auto reader, other->OpenReader(t(), 0));
  AppendNumbers(*writer, 0, 100);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 100));
  EXPECT_EQ(records.size(), 100U);
}

TEST_P(EventLogTest, RefusesTopicsThatDoNotExist) {
  EXPECT_THAT(log().OpenWriter(NameOf("nowhere")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
  EXPECT_THAT(log().OpenReader(NameOf("nowhere"), 0),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
}

TEST_P(EventLogTest, RefusesAnOffsetPastTheEnd) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 0, 10);
  const auto reader = ReaderOf(t(), 1234);
  std::vector<LogRecord> records;
  EXPECT_THAT(reader->Read(kLong, &records),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("1234"), HasSubstr("10"))));
}

TEST_P(EventLogTest, RefusesARecordBeyondTheLimit) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  const std::string byte(1, 'x');
  EXPECT_THAT(writer->Append("key", std::string_view(byte.data(), kPayloadBytesMax + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1000000001")));
  AppendNumbers(*writer, 0, 1);
}

// Promise 1: what was trimmed too early is refused by name, never skipped.
TEST_P(EventLogTest, NamesBothOffsetsWhenRecordsWereTrimmedAway) {
  if (!fixture().trims()) GTEST_SKIP() << "no trimming here";
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  for (int i = 0; i < 20; ++i) AppendNumbers(*writer, i * 100, 100);
  const auto whole = ReaderOf(t(), 0);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*whole, 2000));
  const Offset before = records[1500].offset;
  ASSERT_OK(log().Trim(t(), before));

  ASSERT_OK_AND_ASSIGN(const TopicInfo info, log().Describe(t()));
  EXPECT_GT(info.first, 0);
  EXPECT_LE(info.first, before);
  const auto late = ReaderOf(t(), 0);
  std::vector<LogRecord> none;
  EXPECT_THAT(late->Read(kLong, &none),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("offset 0"), HasSubstr(absl::StrCat(info.first)))));
  const auto reader = ReaderOf(t(), before);
  ASSERT_OK_AND_ASSIGN(const auto kept, ReadSome(*reader, 500));
  EXPECT_EQ(TextOf(kept.front().payload), "1500");
  EXPECT_EQ(kept.size(), 500U);
}

TEST_P(EventLogTest, KeepsCountingAfterEverythingWasTrimmed) {
  if (!fixture().trims()) GTEST_SKIP() << "no trimming here";
  ASSERT_OK(fixture().MakeTopic(t()));
  {
    const auto writer = WriterOf(t());
    AppendNumbers(*writer, 0, 100);
  }
  ASSERT_OK_AND_ASSIGN(const TopicInfo filled, log().Describe(t()));
  ASSERT_OK(log().Trim(t(), filled.next));
  const auto reader = ReaderOf(t(), filled.next);
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 100, 10);
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 10));
  EXPECT_EQ(records.front().offset, filled.next);
  EXPECT_EQ(TextOf(records.front().payload), "100");
}

TEST_P(EventLogTest, MakingATopicTwiceChangesNothing) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto writer = WriterOf(t());
  AppendNumbers(*writer, 0, 10);
  ASSERT_OK_AND_ASSIGN(const TopicInfo first, log().Describe(t()));
  ASSERT_OK(fixture().MakeTopic(t()));
  ASSERT_OK_AND_ASSIGN(const TopicInfo second, log().Describe(t()));
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(first.next, second.next);
}

TEST_P(EventLogTest, ShutdownWakesAWaitingReader) {
  ASSERT_OK(fixture().MakeTopic(t()));
  const auto reader = ReaderOf(t(), 0);
  std::thread canceller([&] { fixture().cancel().Request(); });
  std::vector<LogRecord> records;
  EXPECT_THAT(reader->Read(absl::Hours(1), &records),
              StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  canceller.join();
}

}  // namespace
}  // namespace switchyard::eventlog
