// The Kafka log against Apache Kafka: the contract, restarts, settings, trimming, a reader that is
// not ours.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/eventlog/check_log.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/kafka_log.h"
#include "common/eventlog/record_key.h"
#include "common/eventlog/remove_log.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/event.pb.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/await.h"
#include "tests/support/server/real_kafka.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::eventlog {
namespace {

using ::switchyard::testing::Command;
using ::switchyard::testing::RealKafka;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Minutes(1);

// One broker for all tests; each makes topics of its own.
RealKafka& Broker() {
  static const std::unique_ptr<RealKafka> broker = [] {
    auto started = RealKafka::Start({.tls = true});
    EXPECT_OK(started);
    SY_CHECK(started.ok());
    return *std::move(started);
  }();
  return *broker;
}

std::string UniqueTopic(const std::string& stem) {
  static int made = 0;
  return absl::StrCat(stem, "-", ++made);
}

std::unique_ptr<EventLog> OpenLog(const Cancel& cancel, bool single_broker = true,
                                  absl::Duration gone_after = kGoneAfter) {
  auto log = KafkaLog::Open({.kafka = {{"bootstrap.servers", Broker().bootstrap_servers()}},
                             .single_broker = single_broker},
                            cancel, gone_after);
  EXPECT_OK(log);
  return *std::move(log);
}

class RealKafkaFixture : public LogFixture {
 public:
  // Topics that are no topics here are so for good.
  RealKafkaFixture()
      : suffix_(UniqueTopic("")), log_(OpenLog(cancel(), true, absl::Milliseconds(100))) {}
  EventLog& log() override { return *log_; }
  std::unique_ptr<EventLog> OpenAgain() override { return OpenLog(cancel()); }
  std::string NameOf(const std::string& topic) override { return topic + suffix_; }

 private:
  const std::string suffix_;
  const std::unique_ptr<EventLog> log_;
};

INSTANTIATE_TEST_SUITE_P(Logs, EventLogTest,
                         ::testing::Values(LogKind{
                             "RealKafka", [] { return std::make_unique<RealKafkaFixture>(); }}),
                         [](const auto& info) { return info.param.name; });

class RealKafkaTest : public ::testing::Test {
 protected:
  RealKafkaTest() : topic_(UniqueTopic("changes")), log_(OpenLog(cancel_)) {}

  Cancel cancel_;
  const std::string topic_;
  const std::unique_ptr<EventLog> log_;
};

// Promises 1 and 3.
TEST_F(RealKafkaTest, LosesAndRepeatsNothingWhenTheBrokerIsKilledInMidStream) {
  constexpr int kCount = 60'000;
  constexpr int kKills = 2;
  ASSERT_OK(log_->CreateTopic(topic_));
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(topic_, 0));
  std::atomic<int> appended = 0;
  std::thread appender([&] {
    ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(topic_));
    for (int i = 0; i < kCount; ++i) {
      ASSERT_OK(writer->Append("key", MakeEvent(1, absl::StrCat(i))));
      appended = i + 1;
      // Keeps some under way when the broker goes, and not all of them before it does.
      if (i % (kCount / 10) == 0) {
        ASSERT_OK(writer->Flush(kLong));
      }
    }
    ASSERT_OK(writer->Flush(kLong));
    EXPECT_EQ(writer->durable_sequence(), static_cast<uint64_t>(kCount));
  });
  for (int kill = 1; kill <= kKills; ++kill) {
    EXPECT_OK(testing::Await("it appends", absl::Minutes(1),
                             [&] { return appended >= kill * kCount / (kKills + 1); }))
        << appended << " appended before kill " << kill;
    Broker().Kill();
    EXPECT_OK(Broker().Restart());
  }
  const auto records = ReadSome(*reader, kCount);
  appender.join();
  ASSERT_OK(records);
  ASSERT_EQ(records->size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(TextOf((*records)[i].payload), absl::StrCat(i));
  ASSERT_OK_AND_ASSIGN(const TopicInfo info, log_->Describe(topic_));
  EXPECT_EQ(info.next, kCount);
}

TEST_F(RealKafkaTest, WaitsForABrokerThatIsDownAtTheStart) {
  Broker().Kill();
  EXPECT_THAT(log_->Describe(topic_), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(topic_)));
  absl::Status made;
  std::thread maker([&] { made = log_->CreateTopic(topic_); });
  ASSERT_OK(Broker().Restart());
  maker.join();
  EXPECT_OK(made);
  EXPECT_OK(log_->Describe(topic_));
}

TEST_F(RealKafkaTest, RefusesTopicsWithTheWrongSettings) {
  const std::string partitions = UniqueTopic("partitions");
  const std::string compacted = UniqueTopic("compacted");
  const std::string short_lived = UniqueTopic("short-lived");
  ASSERT_OK(Broker().CreateTopic(partitions, 6, {}));
  ASSERT_OK(Broker().CreateTopic(compacted, 1, {{"cleanup.policy", "compact"}}));
  ASSERT_OK(Broker().CreateTopic(short_lived, 1,
                                 {{"retention.ms", "3600000"}, {"max.message.bytes", "100000"}}));
  const auto refused = [](const std::string& text) {
    return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(text));
  };
  EXPECT_THAT(log_->CreateTopic(partitions), refused("the number of partitions is 6"));
  EXPECT_THAT(log_->CreateTopic(compacted), refused("cleanup.policy is compact"));
  EXPECT_THAT(log_->CreateTopic(short_lived),
              AllOf(refused("retention.ms is 3600000"), refused("max.message.bytes is 100000")));
}

TEST_F(RealKafkaTest, WantsReplicasUnlessToldThatThereIsOneBroker) {
  const auto strict = OpenLog(cancel_, /*single_broker=*/false);
  EXPECT_THAT(strict->CreateTopic(topic_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                    AllOf(HasSubstr(topic_), HasSubstr("3"))));
  ASSERT_OK(log_->CreateTopic(topic_));
  EXPECT_THAT(strict->CreateTopic(topic_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                    AllOf(HasSubstr("the replication factor is 1"),
                                                          HasSubstr("min.insync.replicas is 1"))));
}

TEST_F(RealKafkaTest, IsCheckedWithoutMakingATopic) {
  const LogOptions single = {.kafka = {{"bootstrap.servers", Broker().bootstrap_servers()}},
                             .single_broker = true};
  LogOptions strict = single;
  strict.single_broker = false;
  const std::string compacted = UniqueTopic("check-compacted");
  ASSERT_OK(Broker().CreateTopic(compacted, 1, {{"cleanup.policy", "compact"}}));
  EXPECT_THAT(CheckEventLog(single, {topic_}, cancel_), ::testing::IsEmpty());
  const auto refused = [](const std::string& text) {
    return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(text));
  };
  EXPECT_THAT(CheckEventLog(strict, {topic_, compacted}, cancel_),
              ::testing::ElementsAre(refused("the log needs 3 brokers"),
                                     refused("cleanup.policy is compact")));
  EXPECT_THAT(log_->Describe(topic_), StatusIs(absl::StatusCode::kNotFound, HasSubstr(topic_)));
  ASSERT_OK(log_->CreateTopic(topic_));
  EXPECT_THAT(CheckEventLog(single, {topic_}, cancel_), ::testing::IsEmpty());
}

// Promise 1.
TEST_F(RealKafkaTest, ADeletedTopicEndsItsReaderAndItsWriter) {
  ASSERT_OK(log_->CreateTopic(topic_));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(topic_));
  ASSERT_OK(writer->Append("key", MakeEvent(1, "a")));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(topic_, 0));
  ASSERT_OK(ReadSome(*reader, 1));
  ASSERT_OK(Broker().DeleteTopic(topic_));
  const auto deleted =
      StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(topic_), HasSubstr("deleted")));
  EXPECT_THAT(ReadSome(*reader, 1), deleted);
  ASSERT_OK(writer->Append("key", MakeEvent(1, "b")));
  EXPECT_THAT(writer->Flush(kLong), deleted);
}

// Promise 1.
TEST_F(RealKafkaTest, ATopicMadeAgainIsNotTheSame) {
  ASSERT_OK(log_->CreateTopic(topic_));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(topic_));
  for (int i = 0; i < 10; ++i) ASSERT_OK(writer->Append("key", MakeEvent(1, "a")));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK(Broker().DeleteTopic(topic_));
  absl::Status made;
  do {  // deletion takes a moment: until then the topic is there, or is on its way out
    made = log_->CreateTopic(topic_);
  } while (absl::IsUnavailable(made) || absl::IsNotFound(made));
  ASSERT_OK(made);
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(topic_, 10));
  EXPECT_THAT(ReadSome(*reader, 1), StatusIs(absl::StatusCode::kDataLoss,
                                             AllOf(HasSubstr("offset 10"), HasSubstr("0 to 0"))));
  absl::Status ended;
  while (ended.ok()) {
    ended = writer->Append("key", MakeEvent(1, "b")).status();
    if (ended.ok()) ended = writer->Flush(kLong);
  }
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kDataLoss, HasSubstr(topic_)));
}

TEST_F(RealKafkaTest, LogsInWithSaslAndNeverShowsThePassword) {
  ASSERT_OK(log_->CreateTopic(topic_));
  const auto open = [&](const std::string& password) {
    return *OpenEventLog({.kafka = {{"bootstrap.servers", Broker().sasl_servers()},
                                    {"security.protocol", "sasl_plaintext"},
                                    {"sasl.mechanism", "PLAIN"},
                                    {"sasl.username", "switchyard"},
                                    {"sasl.password", password}},
                          .single_broker = true},
                         cancel_);
  };
  ASSERT_OK(open("open sesame")->Describe(topic_));
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("uthentication"), Not(HasSubstr("hunter2"))));
  const auto wrong = open("hunter2");
  EXPECT_THAT(wrong->Describe(topic_), refused);
  EXPECT_THAT(wrong->CreateTopic(topic_), refused);
  EXPECT_THAT(wrong->OpenWriter(topic_), refused);
  EXPECT_THAT(wrong->OpenReader(topic_, 0), refused);
}

TEST_F(RealKafkaTest, SpeaksTlsAndTrustsOnlyWhomItIsToldTo) {
  const auto open = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.end(), {{"bootstrap.servers", Broker().tls_servers()},
                             {"security.protocol", "sasl_ssl"},
                             {"sasl.mechanism", "PLAIN"},
                             {"sasl.username", "switchyard"},
                             {"sasl.password", "open sesame"}});
    return *OpenEventLog({.kafka = more, .single_broker = true}, cancel_);
  };
  const auto log = open({{"ssl.ca.location", Broker().certificate_path()}});
  ASSERT_OK(log->CreateTopic(topic_));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(topic_));
  ASSERT_OK(writer->Append("key", MakeEvent(1, "over TLS")));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(topic_, 0));
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 1));
  EXPECT_EQ(TextOf(records[0].payload), "over TLS");
  // A certificate nobody vouches for is a refusal, not something to wait for.
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("certificate"), Not(HasSubstr("sesame"))));
  EXPECT_THAT(open({})->CreateTopic(topic_), refused);
  EXPECT_THAT(open({})->OpenWriter(topic_), refused);
}

// Another team needs kcat and protoc alone, as docs/event-log.md says.
TEST_F(RealKafkaTest, IsReadByKcatAndProtoc) {
  event::v1::Event event;
  event.set_format(1);
  event.set_epoch(7);
  event::v1::Row& row = *event.mutable_row();
  row.set_op(event::v1::Row::INSERT);
  row.set_relation_id(16384);
  row.set_commit_lsn(0x16B3748);
  row.mutable_new_tuple()->set_kinds("ttn");
  row.mutable_new_tuple()->add_values("42");
  row.mutable_new_tuple()->add_values("na\u00efve");
  RecordKey key("public", "bookings");
  key.Start();
  key.AddText("42");

  ASSERT_OK(log_->CreateTopic(topic_));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(topic_));
  ASSERT_OK(writer->Append(key.Finish(), event.SerializeAsString()));
  ASSERT_OK(writer->Flush(kLong));

  const auto kcat = [&](const std::string& format) {
    return RunForOutput(
        Command{.argv = {"/usr/bin/kcat", "-C", "-q", "-e", "-b", Broker().bootstrap_servers(),
                         "-t", topic_, "-o", "beginning", "-f", format}});
  };
  ASSERT_OK_AND_ASSIGN(const std::string key_read, kcat("%k"));
  EXPECT_EQ(key_read, std::string("public\0bookings\0t42", 19));
  ASSERT_OK_AND_ASSIGN(const std::string payload, kcat("%s"));

  testing::TempDir folder;
  const std::string path = folder.path() + "/event";
  std::ofstream(path, std::ios::binary) << payload;
  const int payload_fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_OK_AND_ASSIGN(
      const std::string decoded,
      RunForOutput(Command{
          .argv = {"/usr/bin/protoc", "--decode=switchyard.event.v1.Event", "proto/event.proto"},
          .work_dir = SY_SOURCE_DIR,
          .input_fd = payload_fd}));
  close(payload_fd);
  std::string expected;
  ASSERT_TRUE(google::protobuf::TextFormat::PrintToString(event, &expected));
  EXPECT_EQ(decoded, expected);
}

TEST(RealKafkaLogTest, TopicsAreRemovedAndTheOthersStay) {
  Cancel cancel;
  const std::string gone = UniqueTopic("removed");
  const std::string stays = UniqueTopic("stays");
  const auto log = OpenLog(cancel, true, absl::Milliseconds(100));
  ASSERT_OK(log->CreateTopic(gone));
  ASSERT_OK(log->CreateTopic(stays));
  const LogOptions options = {.kafka = {{"bootstrap.servers", Broker().bootstrap_servers()}},
                              .single_broker = true};
  ASSERT_OK_AND_ASSIGN(const std::vector<LogPart> parts,
                       FindLogParts(options, {gone, "was-never-there"}, cancel));
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].name, gone);
  EXPECT_OK(RemoveLogPart(options, parts[0], cancel));
  EXPECT_OK(RemoveLogPart(options, parts[0], cancel));  // it is gone already
  EXPECT_OK(testing::Await("it is gone", kLong, [&]() -> absl::StatusOr<bool> {
    return absl::IsNotFound(log->Describe(gone).status());
  }));
  EXPECT_OK(log->Describe(stays));
}

}  // namespace
}  // namespace switchyard::eventlog
