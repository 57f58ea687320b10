// The Kafka log against librdkafka's mock cluster: the contract, and brokers that fail.
#include "common/eventlog/kafka_log.h"

#include <librdkafka/rdkafka.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/eventlog/kafka_admin.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/await.h"
#include "tests/support/captured_log.h"
#include "tests/support/server/mini_kafka.h"
#include "tests/support/status_matchers.h"

namespace switchyard::eventlog {
namespace {

using ::switchyard::testing::CapturedLog;
using ::switchyard::testing::MiniKafka;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTopic[] = "changes";
constexpr absl::Duration kLong = absl::Minutes(1);

// What is no topic here is so for good.
constexpr absl::Duration kGoneSoon = absl::Milliseconds(50);

std::unique_ptr<EventLog> OpenOn(const MiniKafka& kafka, const Cancel& cancel,
                                 absl::Duration gone_after = kGoneSoon) {
  auto log = KafkaLog::Open(
      {.kafka = {{"bootstrap.servers", kafka.bootstrap_servers()}}, .single_broker = true}, cancel,
      gone_after);
  EXPECT_OK(log);
  return *std::move(log);
}

class MiniKafkaFixture : public LogFixture {
 public:
  MiniKafkaFixture() : log_(OpenOn(kafka_, cancel())) { kafka_.ForbidTopic(NameOf("nowhere")); }
  EventLog& log() override { return *log_; }
  std::unique_ptr<EventLog> OpenAgain() override { return OpenOn(kafka_, cancel()); }
  absl::Status MakeTopic(const std::string& topic) override {
    if (made_.insert(topic).second) kafka_.CreateTopic(topic);
    return absl::OkStatus();
  }
  bool trims() const override { return false; }
  size_t large() const override { return 3'000'000; }

 private:
  MiniKafka kafka_;
  std::set<std::string> made_;
  std::unique_ptr<EventLog> log_;
};

INSTANTIATE_TEST_SUITE_P(Logs, EventLogTest,
                         ::testing::Values(LogKind{
                             "MiniKafka", [] { return std::make_unique<MiniKafkaFixture>(); }}),
                         [](const auto& info) { return info.param.name; });

class KafkaFaultTest : public ::testing::Test {
 protected:
  explicit KafkaFaultTest(int brokers = 1) : kafka_(brokers) {
    kafka_.CreateTopic(kTopic);
    log_ = OpenOn(kafka_, cancel_);
  }

  void Append(LogWriter& writer, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      ASSERT_OK(writer.Append("key", MakeEvent(1, absl::StrCat(i))));
    }
  }
  // The topic holds the numbers 0 .. count-1, each once.
  void ExpectNumbers(int count) {
    ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 0));
    ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, count));
    ASSERT_EQ(records.size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(TextOf(records[i].payload), absl::StrCat(i));
    ASSERT_OK_AND_ASSIGN(const TopicInfo info, log_->Describe(kTopic));
    EXPECT_EQ(info.next, count);
  }

  MiniKafka kafka_;
  Cancel cancel_;
  std::unique_ptr<EventLog> log_;
};

TEST_F(KafkaFaultTest, WaitsForABrokerThatIsDownAtTheStart) {
  kafka_.SetDown(1);
  ASSERT_THAT(log_->Describe(kTopic),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("refused")));
  std::thread starter([&] { kafka_.SetUp(1); });
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  starter.join();
  Append(*writer, 0, 10);
  ASSERT_OK(writer->Flush(kLong));
  ExpectNumbers(10);
}

// Promise 1.
TEST_F(KafkaFaultTest, WaitsForABrokerThatGoesDownInMidStream) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 0));
  Append(*writer, 0, 100);
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(auto records, ReadSome(*reader, 100));
  kafka_.SetDown(1);
  Append(*writer, 100, 100);
  EXPECT_THAT(writer->Flush(absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, ::testing::_));
  EXPECT_OK(writer->status());
  EXPECT_EQ(writer->durable_sequence(), 100U);
  kafka_.SetUp(1);
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(records, ReadSome(*reader, 100));
  EXPECT_EQ(TextOf(records.front().payload), "100");
  ExpectNumbers(200);
}

TEST_F(KafkaFaultTest, RepeatsWhatTheBrokerRefusedForNow) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 10);
  ASSERT_OK(writer->Flush(kLong));
  kafka_.FailNext(
      MiniKafka::Request::kProduce,
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
       RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
       RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR__TRANSPORT});
  Append(*writer, 10, 90);
  ASSERT_OK(writer->Flush(kLong));
  ExpectNumbers(100);
}

TEST_F(KafkaFaultTest, ReadsOnThroughErrorsThatPass) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 100);
  ASSERT_OK(writer->Flush(kLong));
  kafka_.FailNext(MiniKafka::Request::kFetch,
                  {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                   RD_KAFKA_RESP_ERR__TRANSPORT});
  ExpectNumbers(100);
}

TEST_F(KafkaFaultTest, BearsASlowBroker) {
  kafka_.SetDelay(1, absl::Milliseconds(100));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 1000);
  ASSERT_OK(writer->Flush(kLong));
  ExpectNumbers(1000);
}

TEST_F(KafkaFaultTest, EndsWithTheReasonWhenTheBrokerRefusesForGood) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 1);
  ASSERT_OK(writer->Flush(kLong));
  kafka_.FailNext(MiniKafka::Request::kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  Append(*writer, 1, 1);
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr(kTopic), HasSubstr("authorization")));
  EXPECT_THAT(writer->Flush(kLong), refused);
  EXPECT_THAT(writer->Append("", "x"), refused);
  EXPECT_THAT(writer->status(), refused);
  EXPECT_EQ(writer->durable_sequence(), 1U);
}

// A broker that lost its end, or what it knew of the producer: another one, under the next epoch,
// begins by looking at what is there.
TEST_F(KafkaFaultTest, AProducerThatEndedIsFollowedByAnother) {
  for (const int error :
       {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH}) {
    ASSERT_OK_AND_ASSIGN(const TopicInfo before, log_->Describe(kTopic));
    ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
    Append(*writer, static_cast<int>(before.next), 1);
    ASSERT_OK(writer->Flush(kLong));
    kafka_.FailNext(MiniKafka::Request::kProduce, {error});
    Append(*writer, static_cast<int>(before.next) + 1, 1);
    const absl::Status ended = writer->Flush(kLong);
    if (ended.ok()) continue;  // librdkafka mended it by itself
    EXPECT_THAT(ended, StatusIs(absl::StatusCode::kUnavailable, HasSubstr(kTopic)));
    EXPECT_EQ(writer->durable_sequence(), 1U);
    ASSERT_OK_AND_ASSIGN(const auto next, log_->OpenWriter(kTopic));
    Append(*next, static_cast<int>(before.next) + 1, 1);
    ASSERT_OK(next->Flush(kLong));
  }
  ExpectNumbers(6);
}

TEST_F(KafkaFaultTest, RefusesAnOffsetThatWasTrimmedAway) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 10);
  ASSERT_OK(writer->Flush(kLong));
  kafka_.FailNext(MiniKafka::Request::kFetch, {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE});
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 5));
  EXPECT_THAT(ReadSome(*reader, 1), StatusIs(absl::StatusCode::kDataLoss,
                                             AllOf(HasSubstr("offset 5"), HasSubstr("0 to 10"))));
}

TEST_F(KafkaFaultTest, ShutdownEndsEveryWait) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  kafka_.SetDown(1);
  const std::string record = MakeEvent(1, LongText(500'000));
  std::atomic<bool> blocking = false;
  absl::Status append_status;
  std::thread appender([&] {
    for (size_t bytes = 0; append_status.ok(); bytes += record.size()) {
      blocking = bytes > (30U << 20);
      append_status = writer->Append("", record).status();
    }
  });
  absl::Status open_status;
  std::thread opener([&] { open_status = log_->CreateTopic("another"); });
  EXPECT_OK(testing::Await("it blocks", absl::Minutes(1), [&] { return blocking.load(); }));
  cancel_.Request();
  appender.join();
  opener.join();
  EXPECT_THAT(append_status, StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  EXPECT_THAT(open_status, StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  EXPECT_THAT(writer->Flush(kLong), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
}

// A broker that has just come up answers so until it has loaded the cluster's metadata.
class UnknownTopicTest : public KafkaFaultTest {
 protected:
  UnknownTopicTest() { log_ = OpenOn(kafka_, cancel_, /*gone_after=*/kLong); }

  void Forget() { kafka_.SetTopicError(kTopic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART); }
  // Requests of this kind are refused for a while, until the client asks for the topic.
  void Refuse(MiniKafka::Request request) {
    kafka_.FailNext(request, std::vector<int>(10, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
  }
  // `body` meets a broker that does not know the topic, and finds it known again some time after
  // `asked()`.
  void WhileUnknown(absl::FunctionRef<void(absl::FunctionRef<bool()> asked)> body) {
    CapturedLog captured;
    const auto asked = [&] { return captured.Has("the Kafka broker does not know the topic"); };
    Forget();
    std::thread doing([&] { body(asked); });
    EXPECT_OK(testing::Await("it asks for the topic", kLong, [&] { return asked(); }));
    kafka_.SetTopicError(kTopic, RD_KAFKA_RESP_ERR_NO_ERROR);
    doing.join();
  }
};

TEST_F(UnknownTopicTest, IsNotGoneForOneAnswer) {
  WhileUnknown([&](auto) { EXPECT_OK(log_->Describe(kTopic)); });
  WhileUnknown([&](auto) { EXPECT_OK(log_->OpenWriter(kTopic)); });
  WhileUnknown([&](auto) { EXPECT_OK(log_->OpenReader(kTopic, 0)); });
}

TEST_F(UnknownTopicTest, IsGoneWhenTheAnswerLasts) {
  Forget();
  log_ = OpenOn(kafka_, cancel_);
  EXPECT_THAT(log_->Describe(kTopic), StatusIs(absl::StatusCode::kNotFound, HasSubstr(kTopic)));
}

TEST_F(UnknownTopicTest, ShutdownEndsTheAsking) {
  CapturedLog captured;
  Forget();
  absl::Status described;
  std::thread doing([&] { described = log_->Describe(kTopic).status(); });
  EXPECT_OK(testing::Await("it asks", kLong,
                           [&] { return captured.Has("the Kafka broker does not know"); }));
  cancel_.Request();
  doing.join();
  EXPECT_THAT(described, StatusIs(absl::StatusCode::kCancelled, ::testing::_));
}

TEST_F(UnknownTopicTest, IsReadOn) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 0));
  Append(*writer, 0, 10);
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK(ReadSome(*reader, 10));
  WhileUnknown([&](auto asked) {
    Refuse(MiniKafka::Request::kFetch);
    std::vector<LogRecord> records;
    absl::Status read;
    while (read.ok() && !asked()) read = reader->Read(absl::Milliseconds(100), &records);
    EXPECT_OK(read);
  });
  ASSERT_OK_AND_ASSIGN(const auto again, log_->OpenWriter(kTopic));
  Append(*again, 10, 10);
  ASSERT_OK(again->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 10));
  EXPECT_EQ(TextOf(records.front().payload), "10");
}

// By its own look: librdkafka says nothing of it.
TEST_F(UnknownTopicTest, IsFoundGoneByAReaderThatNeverWaits) {
  log_ = OpenOn(kafka_, cancel_);
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 0));
  Forget();
  std::vector<LogRecord> records;
  absl::Status read;
  EXPECT_OK(testing::Await("the reader says so", kLong, [&] {
    read = reader->Read(absl::ZeroDuration(), &records);
    return !read.ok();
  }));
  EXPECT_THAT(read, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("was deleted")));
}

// What was under way is lost to this writer, but not the topic: another one may go on.
TEST_F(UnknownTopicTest, EndsTheWriterOnlyForAnotherOneToGoOn) {
  ASSERT_OK_AND_ASSIGN(auto writer, log_->OpenWriter(kTopic));
  Append(*writer, 0, 10);
  ASSERT_OK(writer->Flush(kLong));
  WhileUnknown([&](auto) {
    Refuse(MiniKafka::Request::kProduce);
    Append(*writer, 10, 10);
    EXPECT_THAT(writer->Flush(kLong),
                StatusIs(absl::StatusCode::kUnavailable,
                         AllOf(HasSubstr(kTopic), HasSubstr("after offset 9"))));
  });
  EXPECT_EQ(writer->durable_sequence(), 10U);
  EXPECT_THAT(writer->Append("", "x"), StatusIs(absl::StatusCode::kUnavailable, ::testing::_));
  ASSERT_OK_AND_ASSIGN(writer, log_->OpenWriter(kTopic));
  Append(*writer, 10, 10);
  ASSERT_OK(writer->Flush(kLong));
  ExpectNumbers(20);
}

class KafkaClusterTest : public KafkaFaultTest {
 protected:
  KafkaClusterTest() : KafkaFaultTest(3) {}
};

TEST_F(KafkaClusterTest, FollowsTheLeaderFromBrokerToBroker) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log_->OpenReader(kTopic, 0));
  for (int round = 0; round < 6; ++round) {
    kafka_.SetLeader(kTopic, 1 + round % 3);
    Append(*writer, round * 100, 100);
    ASSERT_OK(writer->Flush(kLong));
    ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 100));
    EXPECT_EQ(TextOf(records.front().payload), absl::StrCat(round * 100));
  }
  ExpectNumbers(600);
}

TEST(KafkaPropertiesTest, RefusesWhatThePromisesHangOn) {
  Cancel cancel;
  for (const char* name : {"acks", "enable.idempotence", "auto.offset.reset", "message.timeout.ms",
                           "transactional.id", "isolation.level"}) {
    EXPECT_THAT(
        OpenEventLog({.kafka = {{"bootstrap.servers", "localhost:1"}, {name, "1"}}}, cancel),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr(name), HasSubstr("cannot be set"))));
  }
}

TEST(KafkaPropertiesTest, NamesWhatIsWrongButNoSecret) {
  Cancel cancel;
  const auto open = [&](const std::string& name, const std::string& value) {
    return OpenEventLog({.kafka = {{"bootstrap.servers", "localhost:1"}, {name, value}}}, cancel)
        .status();
  };
  const auto invalid = [](const std::string& text) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    AllOf(HasSubstr(text), Not(HasSubstr("hunter2"))));
  };
  EXPECT_THAT(open("no.such.property", "hunter2"), invalid("no.such.property"));
  EXPECT_THAT(open("linger.ms", "soon"), invalid("linger.ms"));
  EXPECT_THAT(OpenEventLog({.kafka = {{"bootstrap.servers", "localhost:1"},
                                      {"security.protocol", "ssl"},
                                      {"ssl.key.pem", "hunter2"}}},
                           cancel),
              invalid("ssl.key"));
  EXPECT_THAT(open("sasl.jaas.config", "hunter2"), invalid("sasl.jaas.config"));
  EXPECT_THAT(OpenEventLog({.kafka = {{"client.id", "x"}}}, cancel),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bootstrap.servers")));
}

KafkaTopicSettings GoodSettings() {
  return {.partitions = 1,
          .replication_factor = 3,
          .configs = {{"cleanup.policy", "delete"},
                      {"retention.ms", "-1"},
                      {"retention.bytes", "-1"},
                      {"max.message.bytes", "1048588"},
                      {"min.insync.replicas", "2"},
                      {"unclean.leader.election.enable", "false"}}};
}

TEST(KafkaTopicTest, AcceptsWhatKeepsThePromises) {
  EXPECT_OK(CheckKafkaTopic(kTopic, GoodSettings(), false));
  KafkaTopicSettings week = GoodSettings();
  week.configs["retention.ms"] = "604800000";
  EXPECT_OK(CheckKafkaTopic(kTopic, week, false));
}

TEST(KafkaTopicTest, NamesEachSettingThatDoesNot) {
  const auto refusal = [](const std::string& name, const std::string& value) {
    KafkaTopicSettings settings = GoodSettings();
    settings.configs[name] = value;
    return CheckKafkaTopic(kTopic, settings, false);
  };
  const auto names = [](const std::string& name, const std::string& value) {
    return StatusIs(absl::StatusCode::kFailedPrecondition,
                    AllOf(HasSubstr(kTopic), HasSubstr(name + " is " + value)));
  };
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"cleanup.policy", "compact"},
                                          {"cleanup.policy", "compact,delete"},
                                          {"retention.ms", "3600000"},
                                          {"retention.bytes", "1000000000"},
                                          {"max.message.bytes", "100000"},
                                          {"min.insync.replicas", "1"},
                                          {"unclean.leader.election.enable", "true"}}) {
    EXPECT_THAT(refusal(name, value), names(name, value));
  }
  KafkaTopicSettings settings = GoodSettings();
  settings.partitions = 6;
  settings.replication_factor = 1;
  EXPECT_THAT(CheckKafkaTopic(kTopic, settings, false),
              AllOf(names("the number of partitions", "6"), names("the replication factor", "1")));
  settings.configs.clear();
  EXPECT_THAT(CheckKafkaTopic(kTopic, settings, false), names("retention.ms", "unknown"));
}

TEST(KafkaTopicTest, AsksForNoReplicasOfASingleBroker) {
  KafkaTopicSettings settings = GoodSettings();
  settings.replication_factor = 1;
  settings.configs["min.insync.replicas"] = "1";
  EXPECT_OK(CheckKafkaTopic(kTopic, settings, true));
  EXPECT_THAT(CheckKafkaTopic(kTopic, settings, false),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("single_broker")));
}

}  // namespace
}  // namespace switchyard::eventlog
