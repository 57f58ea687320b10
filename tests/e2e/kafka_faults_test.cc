// What an operator sees, and what becomes of the data, when a real broker is away, loses a topic or
// what stood on it; and what another team reads there.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/eventlog/event_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"
#include "tests/support/server/real_kafka.h"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class KafkaFaultsTest : public CliRunTest {
 protected:
  static void SetUpTestSuite() {
    auto started = RealKafka::Start({.tls = true});
    ASSERT_OK(started);
    kafka_ = started->release();
  }
  static void TearDownTestSuite() { delete kafka_; }

  // A migration, and so topics, of the test's own.
  void SetUp() override {
    CliRunTest::SetUp();
    static int made = 0;
    migration_ = absl::StrCat("shop", ++made);
    std::ofstream(file_) << absl::StrReplaceAll(
                                kFile, {{"migration: shop\n", "migration: " + migration_ + "\n"}})
                         << "capture: {drift_check: 200ms, heartbeat: 200ms}\n"
                         << "log: {kafka: {bootstrap.servers: \"" << kafka_->bootstrap_servers()
                         << "\", single_broker: true}}\n";
    ASSERT_OK(postgres_->Execute("old_db", "ALTER SYSTEM SET wal_sender_timeout = '1500ms'"));
    ASSERT_OK(postgres_->Execute("old_db", "SELECT pg_reload_conf()"));
    Prepare();
    const Environment roles = Roles();
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = roles[0].second,
                                                             .new_dsn = roles[1].second,
                                                             .stream = migration_ + ".forward",
                                                             .log_folder = folder_});
  }

  std::string Old(const std::string& sql) {
    const auto value = postgres_->Scalar("old_db", sql);
    return value.ok() ? *value : std::string(StdSv(value.status().message()));
  }
  void AwaitOld(const std::string& sql) {
    ASSERT_OK(Await(sql, absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      return Old(sql) == "t";
    })) << Old(sql);
  }
  // A change that the log has and OLD can't send again.
  void UpdateAndAwaitAcknowledged(const std::string& change) {
    ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET " + change));
    const std::string end = Old("SELECT pg_current_wal_lsn()");
    AwaitOld("SELECT bool_or(confirmed_flush_lsn >= '" + end + "') FROM pg_replication_slots");
  }
  void AwaitLog(const std::string& role, const std::string& text) {
    ASSERT_OK(Await(text, absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      return pipeline_->Log(role).find(text) != std::string::npos;
    })) << pipeline_->Log(role);
  }
  void ExpectLogUnreachable() {
    const ProgramResult status = RunCli({"status", file_}, Roles());
    EXPECT_EQ(status.exit_code, 3);
    EXPECT_THAT(status.output, AllOf(HasSubstr("\n  log: "), HasSubstr("last heard: "),
                                     HasSubstr("    next: start the broker, or correct"),
                                     HasSubstr("log         unknown\n")));
  }
  ProgramResult AwaitStopped() {
    ProgramResult status;
    EXPECT_OK(Await("status says stopped", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      status = RunCli({"status", file_}, Roles());
      return status.output.find("  stopped") != std::string::npos;
    })) << status.output;
    return status;
  }
  void ExpectCopyLost(const std::string& role) {
    ASSERT_OK(pipeline_->Start(role));
    EXPECT_THAT(AwaitStopped().output, AllOf(HasSubstr("copy"), HasSubstr("deleted"),
                                             HasSubstr("switchyard recopy FILE --all")));
    EXPECT_THAT(pipeline_->Stop(role),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ended with 1")));
    ASSERT_OK(postgres_->Execute("new_db", "UPDATE switchyard.stream SET state = 'copying'"));
  }
  // The way out that every loss names.
  void CopyAllAgainAndExpectEquality() {
    const ProgramResult anew = RunCli({"recopy", file_, "--all"}, Roles());
    ASSERT_EQ(anew.exit_code, 0) << anew.output;
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = amount + 1"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(New("SELECT sum(amount) FROM orders"), Old("SELECT sum(amount) FROM orders"));
    EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
    ASSERT_OK(pipeline_->Stop());
  }
  absl::StatusOr<std::unique_ptr<eventlog::EventLog>> OpenLog() {
    return eventlog::OpenEventLog(
        {.kafka = {{"bootstrap.servers", kafka_->bootstrap_servers()}}, .single_broker = true},
        cancel_);
  }
  // All of them.
  void TrimChanges() {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLog());
    ASSERT_OK_AND_ASSIGN(const auto topic, log->Describe(changes()));
    ASSERT_OK(log->Trim(changes(), topic.next));
  }
  // Once capture has ended: NEW's position is the end of the topic.
  void AwaitAllRead() {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLog());
    ASSERT_OK_AND_ASSIGN(const auto topic, log->Describe(changes()));
    ASSERT_OK(Await("all read", absl::Seconds(60),
                    [&]() -> absl::StatusOr<bool> {
                      return New("SELECT log_offset FROM switchyard.stream") ==
                             std::to_string(topic.next);
                    }))
        << New("SELECT log_offset FROM switchyard.stream") << " of " << topic.next;
  }
  std::string changes() const { return migration_ + ".forward.changes"; }

  static RealKafka* kafka_;
  const Cancel cancel_;
  std::string migration_;
};

RealKafka* KafkaFaultsTest::kafka_ = nullptr;

// Nothing is lost, and OLD's walsender is answered all the while: the stream is not even cut.
TEST_F(KafkaFaultsTest, ABrokerMayBeDownAtTheStartAndForLongerThanTheWalsenderWaits) {
  kafka_->Kill();
  ASSERT_OK(pipeline_->Start("run"));
  AwaitLog("run", "the log can't be reached, waiting");
  EXPECT_THAT(RunCli({"check", file_}, Roles()).output, HasSubstr("log: "));
  ExpectLogUnreachable();
  ASSERT_OK(kafka_->Restart());
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_OK(
      Await("status says that all is applied", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
        const ProgramResult status = RunCli({"status", file_}, Roles());
        return status.output.find("log         all applied\n") != std::string::npos;
      }));

  const std::string pid = Old("SELECT pid FROM pg_stat_replication");
  kafka_->Kill();
  // More than may be under way to the log: capture is blocked in the middle of a transaction.
  ASSERT_OK(postgres_->Execute("old_db", R"(
    INSERT INTO orders SELECT i, 1 FROM generate_series(1001, 151000) i)"));
  const std::string down = Old("SELECT clock_timestamp()");
  AwaitLog("run", "nothing could be written to Kafka for a while, waiting");
  // Several times wal_sender_timeout.
  AwaitOld("SELECT coalesce(max(reply_time) > '" + down +
           "'::timestamptz + interval '6 s', true) FROM pg_stat_replication");
  EXPECT_EQ(Old("SELECT pid FROM pg_stat_replication"), pid);
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), "5050");
  ExpectLogUnreachable();
  ASSERT_OK(kafka_->Restart());
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), "155050");
  EXPECT_EQ(Old("SELECT epoch FROM switchyard.capture_stream"), "1");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(KafkaFaultsTest, ADeletedTopicIsNamedAndTheRecopyMendsIt) {
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_NO_FATAL_FAILURE(UpdateAndAwaitAcknowledged("amount = amount + 1"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(kafka_->DeleteTopic(changes()));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = amount + 1"));
  ASSERT_OK_AND_ASSIGN(const int code, pipeline_->process("run")->Wait(absl::Seconds(60)));
  EXPECT_EQ(code, 1) << pipeline_->Log("run");
  EXPECT_THAT(pipeline_->Log("run"), AllOf(HasSubstr(changes() + " was deleted while it was"),
                                           HasSubstr("switchyard recopy FILE --all")));
  EXPECT_THAT(AwaitStopped().output,
              AllOf(HasSubstr(changes() + " was deleted while it was"), HasSubstr("    next: ")));
  // The empty topic that a start may make is not taken for the one that is gone.
  const ProgramResult again = RunCli({"run", file_}, Roles());
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.output, HasSubstr("switchyard recopy FILE --all"));
  ASSERT_NO_FATAL_FAILURE(CopyAllAgainAndExpectEquality());
}

TEST_F(KafkaFaultsTest, ACopyTopicDeletedBeforeItWasReadIsNamedAndTheRecopyMendsIt) {
  ASSERT_OK(pipeline_->Start("capture"));
  AwaitOld("SELECT count(*) = 1 FROM switchyard.capture_stream WHERE state = 'streaming'");
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(kafka_->DeleteTopic(migration_ + ".forward.copy"));
  ASSERT_NO_FATAL_FAILURE(ExpectCopyLost("replay"));
  // Nor is the topic that capture makes anew taken for the one that is gone.
  ASSERT_OK(pipeline_->Start("capture"));
  AwaitLog("capture", "streaming stream=" + migration_ + ".forward epoch=2");
  ASSERT_OK(pipeline_->Stop("capture"));
  ASSERT_NO_FATAL_FAILURE(ExpectCopyLost("run"));
  ASSERT_NO_FATAL_FAILURE(CopyAllAgainAndExpectEquality());
}

// It is needed no more: no reason to stop.
TEST_F(KafkaFaultsTest, ACopyTopicDeletedLaterIsMadeAnewForTheNextCopy) {
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(kafka_->DeleteTopic(migration_ + ".forward.copy"));
  const auto copy_again = [&]() -> absl::StatusOr<bool> {
    const std::string said = RunCli({"recopy", file_, "orders", "--wait", "25s"}, Roles()).output;
    if (said.find("swapped in") != std::string::npos) return true;
    EXPECT_THAT(said, HasSubstr("the copy is lost, the table is as it was"));
    return false;
  };
  // A request that was made before the loss was met goes with it.
  EXPECT_OK(Await("copied again", absl::Seconds(60), copy_again));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = amount + 1"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), Old("SELECT sum(amount) FROM orders"));
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(kafka_->DeleteTopic(migration_ + ".forward.copy"));
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_OK(Await("copied again", absl::Seconds(60), copy_again));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(KafkaFaultsTest, ATopicTrimmedTooFarIsNamedAndTheRecopyMendsIt) {
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_NO_FATAL_FAILURE(UpdateAndAwaitAcknowledged("amount = amount + 1"));
  ASSERT_OK(pipeline_->Stop());
  ASSERT_NO_FATAL_FAILURE(TrimChanges());
  ASSERT_OK(pipeline_->Start("run"));
  EXPECT_THAT(AwaitStopped().output,
              AllOf(HasSubstr("records were trimmed away"), HasSubstr("    next: "),
                    HasSubstr("switchyard recopy FILE --all")));
  EXPECT_THAT(pipeline_->Log("run"), HasSubstr("recopy FILE --all"));
  ASSERT_OK_AND_ASSIGN(const int code, pipeline_->process("run")->Terminate());
  EXPECT_EQ(code, 1);
  ASSERT_NO_FATAL_FAILURE(CopyAllAgainAndExpectEquality());
}

// With nothing left on the log for capture to compare the slot with, NEW's own position tells.
TEST_F(KafkaFaultsTest, ASlotMadeAnewIsNoticedThoughTheTopicIsEmpty) {
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop("capture"));
  ASSERT_NO_FATAL_FAILURE(AwaitAllRead());
  ASSERT_OK(pipeline_->Stop("replay"));
  ASSERT_NO_FATAL_FAILURE(TrimChanges());
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 5 WHERE id = 1"));
  const std::string slot = "switchyard_" + migration_ + "_forward";
  AwaitOld("SELECT NOT bool_or(active) FROM pg_replication_slots");
  ASSERT_OK(postgres_->Execute("old_db", "SELECT pg_drop_replication_slot('" + slot + "')"));
  ASSERT_OK(postgres_->Execute(
      "old_db", "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')"));
  ASSERT_OK(pipeline_->Start("run"));
  EXPECT_THAT(AwaitStopped().output, AllOf(HasSubstr("the log has lost records in between"),
                                           HasSubstr("switchyard recopy FILE --all")));
  ASSERT_OK_AND_ASSIGN(const int code, pipeline_->process("run")->Terminate());
  EXPECT_EQ(code, 1);
  ASSERT_NO_FATAL_FAILURE(CopyAllAgainAndExpectEquality());
}

// TLS and SASL as documented: properties passed through, the secret from the environment alone.
TEST_F(KafkaFaultsTest, LogsInOverTlsWithAPasswordThatIsNeverShown) {
  const std::string file = ReadFileOrEmpty(file_);
  std::ofstream(file_) << file.substr(0, file.find("log: {kafka"))
                       << "log:\n  kafka:\n    bootstrap.servers: \"" << kafka_->tls_servers()
                       << "\"\n    single_broker: true\n    security.protocol: SASL_SSL\n"
                       << "    ssl.ca.location: " << kafka_->certificate_path()
                       << "\n    sasl.mechanism: PLAIN\n    sasl.username: switchyard\n"
                       << "    env: {sasl.password: KAFKA_PASSWORD}\n";
  const auto with = [&](const std::string& password) {
    Environment environment = Roles();
    environment.emplace_back("KAFKA_PASSWORD", password);
    return environment;
  };
  const ProgramResult missing = RunCli({"check", file_}, Roles());
  EXPECT_NE(missing.exit_code, 0);
  EXPECT_THAT(missing.output, HasSubstr("KAFKA_PASSWORD is not set"));
  for (const char* command : {"check", "run"}) {
    const ProgramResult wrong = RunCli({command, file_}, with("hunter2"));
    EXPECT_NE(wrong.exit_code, 0);
    EXPECT_THAT(wrong.output, AllOf(HasSubstr("uthentication"), Not(HasSubstr("hunter2"))));
  }
  const ProgramResult check = RunCli({"check", file_}, with("open sesame"));
  EXPECT_EQ(check.exit_code, 0) << check.output;
  ASSERT_OK_AND_ASSIGN(const auto run,
                       SwitchyardProcess::Start({.arguments = {"run", file_},
                                                 .environment = with("open sesame"),
                                                 .output_path = folder_ + "/run.log"}));
  ASSERT_OK(Await("NEW has the copy", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return New("SELECT count(*) FROM orders") == "100";
  })) << ReadFileOrEmpty(folder_ + "/run.log");
  ASSERT_OK_AND_ASSIGN(const int code, run->Terminate());
  EXPECT_EQ(code, 0);
  EXPECT_THAT(ReadFileOrEmpty(folder_ + "/run.log"), Not(HasSubstr("sesame")));
}

// With kcat and protoc alone, as docs/event-log.md says.
TEST_F(KafkaFaultsTest, AnotherTeamFindsARowByItsKeyAndReadsIt) {
  ASSERT_OK(pipeline_->Start("capture"));
  AwaitOld("SELECT count(*) = 1 FROM switchyard.capture_stream WHERE state = 'streaming'");
  ASSERT_NO_FATAL_FAILURE(UpdateAndAwaitAcknowledged("amount = 777 WHERE id = 42"));
  ASSERT_OK(pipeline_->Stop());  // with heartbeats there is no end for kcat to stop at
  const auto kcat = [&](std::vector<std::string> more) {
    Command command{.argv = {"/usr/bin/kcat", "-C", "-q", "-e", "-b", kafka_->bootstrap_servers(),
                             "-t", changes()}};
    command.argv.insert(command.argv.end(), more.begin(), more.end());
    return RunForOutput(command);
  };
  ASSERT_OK_AND_ASSIGN(const std::string keys, kcat({"-o", "beginning", "-f", "%o %k\n"}));
  std::string offset;
  for (const auto line : absl::StrSplit(keys, '\n')) {
    const std::pair<std::string, std::string> found = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (found.second == std::string("public\0orders\0t42", 17)) offset = found.first;
  }
  ASSERT_NE(offset, "") << keys;
  ASSERT_OK_AND_ASSIGN(const std::string payload, kcat({"-o", offset, "-c", "1", "-f", "%s"}));
  const std::string path = folder_ + "/event";
  std::ofstream(path, std::ios::binary) << payload;
  const int payload_fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto decoded = RunForOutput(Command{
      .argv = {"/usr/bin/protoc", "--decode=switchyard.event.v1.Event", "proto/event.proto"},
      .work_dir = SY_SOURCE_DIR,
      .input_fd = payload_fd});
  close(payload_fd);
  ASSERT_OK(decoded);
  EXPECT_THAT(*decoded, AllOf(HasSubstr("op: UPDATE"), HasSubstr("values: \"42\""),
                              HasSubstr("values: \"777\"")));
}

}  // namespace
}  // namespace switchyard::testing
