// A capture that is stopped, cut off, doubled or refused: no gap, nothing skipped, and a person
// told what to do.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "capture/capture.h"
#include "capture/source/source_state.h"
#include "common/pg/replication/replication_stream.h"
#include "common/records/source/capture_streams.h"
#include "tests/capture/capture_fixture.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CaptureRestartTest : public testing::CaptureTest {
 protected:
  void BeginTable() {
    Begin("CREATE TABLE t (id int PRIMARY KEY, a text)");
    AwaitCopied();
    Run("INSERT INTO t VALUES (1, 'a')");
    AwaitCaughtUp();
  }
  void AwaitConfirmed() {
    const std::string goal = Scalar("SELECT pg_current_wal_lsn()");
    AwaitScalar("SELECT confirmed_flush_lsn >= '" + goal +
                    "' FROM pg_replication_slots WHERE slot_name = '" + slot() + "'",
                "t");
  }
  // The server notices a moment later that its walsender is alone.
  void StopAndAwaitFreeSlot() {
    EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
    AwaitScalar(
        "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '" + slot() + "'",
        "0");
  }
  std::string slot() const { return options().stream.slot; }
  std::string stream() const { return options().stream.name; }
  absl::Status StartAndAwaitEnd() {
    Start();
    return running_->AwaitEnd();
  }
  // Refused, for the same reason as often as it is tried, and the reason stands in the source.
  void ExpectRefusal(absl::StatusCode code, const std::string& text) {
    EXPECT_THAT(StartAndAwaitEnd(), StatusIs(code, HasSubstr(text)));
    EXPECT_THAT(StartAndAwaitEnd(), StatusIs(code, AllOf(HasSubstr(text), HasSubstr("next: "))));
    EXPECT_THAT(Scalar("SELECT refusal FROM switchyard.capture_stream"), HasSubstr(text));
  }
  // What every loss ends with: a new slot, and everything copied again.
  void BeginAnewAndExpectEquality() {
    const auto session = ConnectAsCapture();
    ASSERT_OK(Capture::BeginAnew(*session, options().stream));
    const uint64_t epoch = std::stoull(Scalar("SELECT epoch FROM switchyard.capture_stream"));
    Start();
    ASSERT_TRUE(running_->AwaitStreaming(epoch + 1));
    EXPECT_EQ(Scalar("SELECT refusal IS NULL FROM switchyard.capture_stream"), "t");
    Run("INSERT INTO t VALUES (1000, 'anew')");
    AwaitCopied();
    AwaitCaughtUp();
    // A reader of the new life only: its copies have the highest generation.
    std::vector<Event> changes = Changes();
    std::erase_if(changes, [&](const Event& event) { return event.epoch() <= epoch; });
    EXPECT_EQ(testing::ReplicaModel(Copies(), changes).Rows("public", "t"),
              testing::SourceRows(*owner_, "t"));
  }
};

// Promise 3.
TEST_F(CaptureRestartTest, GoesOnUnderANewEpochWithoutAGap) {
  BeginTable();
  for (int epoch = 2; epoch <= 4; ++epoch) {
    EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
    Run(absl::StrCat("INSERT INTO t VALUES (", epoch, ", 'stopped')"));
    Start();
    ASSERT_TRUE(running_->AwaitStreaming(static_cast<uint64_t>(epoch)));
    Run(absl::StrCat("UPDATE t SET a = '", epoch, "'"));
  }
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Scalar("SELECT epoch FROM switchyard.capture_stream"), "4");
  AwaitScalar("SELECT state FROM switchyard.capture_stream", "streaming");
  EXPECT_EQ(Scalar("SELECT max(generation) FROM switchyard.capture_copy"), "1");
}

TEST_F(CaptureRestartTest, ReconnectsWhenItsConnectionsAreCut) {
  BeginTable();
  for (int i = 1; i <= 3; ++i) {
    Run("BEGIN; INSERT INTO t SELECT g, 'x' FROM generate_series(" +
        absl::StrCat(i * 1000, ", ", i * 1000 + 500) + ") g; COMMIT");
    Run(absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '",
                     testing::kRole, "'"));
    Run("UPDATE t SET a = 'cut'");
    ASSERT_TRUE(running_->AwaitStreaming(static_cast<uint64_t>(i + 1)));
  }
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, SendsAgainWhatTheLogLost) {
  BeginTable();
  memory_->HoldDurability();
  Run("INSERT INTO t SELECT g, 'x' FROM generate_series(100, 400) g");
  const std::string now = Scalar("SELECT pg_current_wal_lsn()");
  ASSERT_OK_AND_ASSIGN(const Lsn goal, Lsn::Parse(now));
  ASSERT_TRUE(running_->Await([&](const CaptureStats& stats) { return stats.received >= goal; }));
  memory_->Crash(absl::UnavailableError("the broker is gone"));
  memory_->ReleaseDurability();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, GoesOnAfterTheSourceCrashed) {
  BeginTable();
  Run("INSERT INTO t SELECT g, 'x' FROM generate_series(100, 400) g");
  ASSERT_OK(server_->Restart(switchyard::testing::MiniPostgres::StopMode::kImmediate));
  ASSERT_OK_AND_ASSIGN(owner_, server_->Connect(database_));
  ASSERT_TRUE(running_->AwaitStreaming(2));
  Run("INSERT INTO t VALUES (3, 'after')");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, ASecondCaptureStandsByAndTakesOver) {
  BeginTable();
  testing::RunningCapture second(Config(), *log_);
  ASSERT_TRUE(second.Await(
      [](const CaptureStats& stats) { return stats.state == CaptureStats::State::kStandby; }));
  Run("INSERT INTO t VALUES (2, 'first')");
  AwaitCaughtUp();
  EXPECT_EQ(second.stats().rows, 0u);
  const absl::Time stopped = absl::Now();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  ASSERT_TRUE(second.AwaitStreaming(2));
  EXPECT_LT(absl::Now() - stopped, absl::Seconds(10));
  Run("INSERT INTO t VALUES (3, 'second')");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, StandsByWhileAnotherSessionHasTheSlot) {
  BeginTable();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  Cancel cancel;
  ASSERT_OK_AND_ASSIGN(auto other,
                       pg::ReplicationStream::Start({.dsn = capture_dsn(),
                                                     .application_name = "somebody else",
                                                     .slot = slot(),
                                                     .publication = options().stream.publication},
                                                    cancel));
  Start();
  ASSERT_TRUE(running_->Await(
      [](const CaptureStats& stats) { return stats.state == CaptureStats::State::kStandby; }));
  EXPECT_EQ(Scalar("SELECT epoch FROM switchyard.capture_stream"), "1");
  // Named, with what to do.
  const std::string pid =
      Scalar("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" + slot() + "'");
  AwaitScalar("SELECT refusal LIKE '%in use by somebody who is no capture of this stream (pid " +
                  pid +
                  ", role switchyard_capture, application \"somebody else\"); next: %"
                  "pg_terminate_backend(" +
                  pid + ")%' FROM switchyard.capture_stream",
              "t");
  other.reset();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  EXPECT_EQ(Scalar("SELECT refusal IS NULL FROM switchyard.capture_stream"), "t");
  Run("INSERT INTO t VALUES (3, 'mine')");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, AnEpochIsOnlyForTheHolderOfTheSlot) {
  BeginTable();
  const auto session = ConnectAsCapture();
  EXPECT_THAT(TakeEpoch(*session, options().stream, session->backend_pid(), 1),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("not held")));
  EXPECT_EQ(Scalar("SELECT epoch FROM switchyard.capture_stream"), "1");
}

TEST_F(CaptureRestartTest, AnUnfinishedCreationIsBegunAgain) {
  Run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a')");
  SetUpSource();
  const auto session = ConnectAsCapture();
  const catalog::Catalog catalog = LoadTables();
  ASSERT_OK(records::CaptureStreams(*session, options().stream.name)
                .Begin(options().stream, catalog.system_identifier, catalog.timeline));
  Run("SELECT pg_create_logical_replication_slot('" + slot() + "', 'pgoutput')");
  Run("INSERT INTO t VALUES (2, 'b')");
  Start();
  ASSERT_TRUE(running_->AwaitStreaming());
  Run("INSERT INTO t VALUES (3, 'c')");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, RefusesASlotThatIsGone) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("SELECT pg_drop_replication_slot('" + slot() + "')");
  Run("INSERT INTO t VALUES (2, 'lost')");
  ExpectRefusal(absl::StatusCode::kDataLoss, "is gone");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, RefusesASlotMadeAnewByHand) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("INSERT INTO t VALUES (2, 'lost')");
  Run("SELECT pg_drop_replication_slot('" + slot() + "')");
  Run("SELECT pg_create_logical_replication_slot('" + slot() + "', 'pgoutput')");
  ExpectRefusal(absl::StatusCode::kDataLoss, "the changes in between are nowhere");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, RefusesASlotAdvancedByHand) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("INSERT INTO t VALUES (2, 'lost')");
  Run("SELECT pg_replication_slot_advance('" + slot() + "', pg_current_wal_lsn())");
  ExpectRefusal(absl::StatusCode::kDataLoss, "advanced by hand");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, RefusesSomebodyElsesSlot) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("SELECT pg_drop_replication_slot('" + slot() + "')");
  Run("SELECT pg_create_physical_replication_slot('" + slot() + "')");
  ExpectRefusal(absl::StatusCode::kDataLoss, "is not the one capture made");
}

// Slots are the server's: the same migration of another database has one of this name.
TEST_F(CaptureRestartTest, LeavesTheSlotOfAnotherDatabaseAlone) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  SetUpSource();
  ASSERT_OK(server_->Execute(
      "postgres", "SELECT pg_create_logical_replication_slot('" + slot() + "', 'pgoutput')"));
  EXPECT_THAT(StartAndAwaitEnd(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("slot " + slot() + " is database postgres's"),
                             HasSubstr("next: "))));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + slot() + "'"),
            "1");
  ASSERT_OK(server_->Execute("postgres", "SELECT pg_drop_replication_slot('" + slot() + "')"));
}

// Of a table that capture was never told to publish there are no changes: its copy is not enough.
TEST_F(CaptureRestartTest, ATableAddedWithoutBeingPublishedStaysSuspect) {
  Begin("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
  AwaitCopied();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  Run("GRANT SELECT ON u TO switchyard_capture");
  tables_ = {{"", "t"}, {"", "u"}};
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  AwaitCopied();
  const std::string suspect =
      "SELECT seen_at > (SELECT finished_at FROM switchyard.capture_copy JOIN pg_class ON oid = "
      "relation_id WHERE relname = 'u') FROM switchyard.capture_suspect WHERE table_name = 'u' AND "
      "reason LIKE 'not in the publication%' AND cleared_at IS NULL";
  AwaitScalar(suspect, "t");
}

TEST_F(CaptureRestartTest, RefusesAnInvalidatedSlot) {
  if (owner_->server_version() < 130000) GTEST_SKIP() << "slots have limits since Postgres 13";
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  Run("SELECT pg_reload_conf()");
  for (int i = 0; i < 3; ++i) {
    Run("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 1000); DROP TABLE "
        "filler");
    Run("SELECT pg_switch_wal()");
    Run("CHECKPOINT");
  }
  AwaitScalar("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '" + slot() + "'",
              "lost");
  Run("ALTER SYSTEM RESET max_slot_wal_keep_size");
  Run("SELECT pg_reload_conf()");
  ExpectRefusal(absl::StatusCode::kDataLoss, "was invalidated");
  BeginAnewAndExpectEquality();
}

// Postgres 18 takes away a slot that nobody reads for long, where that is set.
TEST_F(CaptureRestartTest, RefusesASlotThatIdledTooLong) {
  if (owner_->server_version() < 180000) GTEST_SKIP() << "since Postgres 18";
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'");
  Run("SELECT pg_reload_conf()");
  ASSERT_OK(switchyard::testing::Await("the slot is invalidated", absl::Minutes(1), [&] {
    Run("CHECKPOINT");
    return Scalar("SELECT invalidation_reason FROM pg_replication_slots WHERE slot_name = '" +
                  slot() + "'") == "idle_timeout";
  }));
  Run("ALTER SYSTEM RESET idle_replication_slot_timeout");
  Run("SELECT pg_reload_conf()");
  ExpectRefusal(absl::StatusCode::kDataLoss, "was invalidated (idle_timeout)");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, RefusesAnotherClusterOrHistory) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("UPDATE switchyard.capture_stream SET timeline = 7");
  ExpectRefusal(absl::StatusCode::kDataLoss, "is on timeline 1, the stream was begun on 7");
  Run("UPDATE switchyard.capture_stream SET timeline = 1, system_identifier = '42'");
  ExpectRefusal(absl::StatusCode::kDataLoss, "the source is another cluster");
}

TEST_F(CaptureRestartTest, StandbysMayKeepItsSlotWhereTheFileSaysSo) {
  const std::string failover =
      "SELECT failover FROM pg_replication_slots WHERE slot_name = '" + slot() + "'";
  if (owner_->server_version() < 170000) {
    failover_ = true;
    Run("CREATE TABLE t (id int PRIMARY KEY, a text)");
    SetUpSource();
    EXPECT_THAT(StartAndAwaitEnd(),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("before 17 no standby keeps a slot"),
                               HasSubstr("next: take failover: true out of the migration file"))));
    return;
  }
  BeginTable();
  EXPECT_EQ(Scalar(failover), "f");
  for (const bool wanted : {true, false, true}) {
    StopAndAwaitFreeSlot();
    failover_ = wanted;
    const uint64_t epoch = std::stoull(Scalar("SELECT epoch FROM switchyard.capture_stream"));
    Start();
    ASSERT_TRUE(running_->AwaitStreaming(epoch + 1));
    EXPECT_EQ(Scalar(failover), wanted ? "t" : "f");
  }
  StopAndAwaitFreeSlot();
  failover_.reset();  // as it is
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(5));
  EXPECT_EQ(Scalar(failover), "t");
  ExpectReplicaEqualsSource();
  StopAndAwaitFreeSlot();
  failover_ = true;
  BeginAnewAndExpectEquality();
  EXPECT_EQ(Scalar(failover), "t");
}

// A server of its own: it is promoted.
class CaptureFailoverTest : public CaptureRestartTest {};

// The slot came along, so nothing but the timeline tells that history forked.
TEST_F(CaptureFailoverTest, RefusesASourceThatWasPromoted) {
  BeginTable();
  StopAndAwaitFreeSlot();
  ASSERT_OK(server_->Stop(switchyard::testing::MiniPostgres::StopMode::kFast));
  const std::string signal = server_->data_dir() + "/standby.signal";
  std::ofstream(signal).close();
  std::filesystem::permissions(signal, std::filesystem::perms(0666));
  ASSERT_OK(server_->StartAgain());
  ASSERT_OK_AND_ASSIGN(owner_, server_->Connect(database_));
  Start();
  EXPECT_THAT(running_->AwaitEnd(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                             AllOf(HasSubstr("the source is a standby"),
                                                   HasSubstr("next: connect to its primary"))));
  ASSERT_EQ(Scalar("SELECT pg_promote()"), "t");
  Run("INSERT INTO t VALUES (2, 'another history')");
  ASSERT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + slot() + "'"),
            "1");
  ExpectRefusal(absl::StatusCode::kDataLoss, "is on timeline 2, the stream was begun on 1");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, RefusesALogThatLostItsTopicOrItsEnd) {
  BeginTable();
  AwaitConfirmed();
  StopAndAwaitFreeSlot();
  memory_->DeleteTopic(options().stream.change_topic);
  ExpectRefusal(absl::StatusCode::kDataLoss, "is gone, and with it the changes");
  ASSERT_OK(memory_->CreateTopic(options().stream.change_topic));
  ExpectRefusal(absl::StatusCode::kDataLoss, "was deleted and made again");
  // A log that can't tell its topics apart: what stands on it tells.
  Run("UPDATE switchyard.capture_stream SET log_topic = ''");
  ExpectRefusal(absl::StatusCode::kDataLoss, "the log lost its end");
  BeginAnewAndExpectEquality();
}

TEST_F(CaptureRestartTest, AcceptsALogTrimmedBehindItsReader) {
  BeginTable();
  AwaitConfirmed();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  ASSERT_OK_AND_ASSIGN(const auto topic, memory_->Describe(options().stream.change_topic));
  ASSERT_OK(memory_->Trim(options().stream.change_topic, topic.next));
  Start();
  EXPECT_TRUE(running_->AwaitStreaming(2));
}

TEST_F(CaptureRestartTest, RefusesTheLogOfAnotherStream) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Run("DELETE FROM switchyard.capture_stream");
  Run("SELECT pg_drop_replication_slot('" + slot() + "')");
  EXPECT_THAT(StartAndAwaitEnd(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("the source knows of no"), HasSubstr("as by a restore"),
                             HasSubstr("recopy FILE --all"))));
}

// What was changed meanwhile can't be decoded, also when the publication is there again.
TEST_F(CaptureRestartTest, RefusesWhenThePublicationWasDroppedForAWhile) {
  BeginTable();
  Run("DROP PUBLICATION " + options().stream.publication);
  Run("INSERT INTO t VALUES (2, 'unpublished')");
  const auto refused =
      StatusIs(absl::StatusCode::kDataLoss,
               AllOf(HasSubstr("publication"), HasSubstr("was missing when the next change"),
                     HasSubstr("--print-setup"), HasSubstr("recopy FILE --all")));
  EXPECT_THAT(running_->AwaitEnd(), refused);
  EXPECT_THAT(StartAndAwaitEnd(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           HasSubstr("there is no publication")));
  SetUpSource();
  EXPECT_THAT(StartAndAwaitEnd(), refused);
  ExpectRefusal(absl::StatusCode::kDataLoss, "was missing when the next change");
  BeginAnewAndExpectEquality();
}

// Not only where it starts: what it captures meanwhile could not be told from its own.
TEST_F(CaptureRestartTest, EndsSoonAfterItsMarkIsPublishedNoMore) {
  const std::string alter = "ALTER PUBLICATION " + options().stream.publication;
  std::vector<std::pair<std::string, std::string>> ways = {
      {" DROP TABLE switchyard.mark", "lacks switchyard.mark"},
      {" SET (publish = 'insert, delete, truncate')", "leaves operations out"}};
  if (owner_->server_version() >= 150000) {
    ways.emplace_back(" DROP TABLE switchyard.mark; " + alter +
                          " ADD TABLE switchyard.mark WHERE (migration <> stream)",
                      "row filter or column list for switchyard.mark");
    ways.emplace_back(" DROP TABLE switchyard.mark; " + alter +
                          " ADD TABLE switchyard.mark (migration, stream, writer)",
                      "row filter or column list for switchyard.mark");
  }
  BeginTable();
  for (const auto& [way, fault] : ways) {
    Run(alter + way);
    EXPECT_THAT(running_->AwaitEnd(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                               AllOf(HasSubstr(fault), HasSubstr("next: ALTER"))));
    ExpectRefusal(absl::StatusCode::kFailedPrecondition, fault);
    const std::string refusal = Scalar("SELECT refusal FROM switchyard.capture_stream");
    Run(refusal.substr(refusal.find("next: ") + 6));
    const uint64_t epoch = std::stoull(Scalar("SELECT epoch FROM switchyard.capture_stream"));
    Start();
    ASSERT_TRUE(running_->AwaitStreaming(epoch + 1)) << running_->Stop();
  }
  Run("INSERT INTO t VALUES (2, 'after')");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureRestartTest, RefusesASourceThatIsNotSetUpNamingEverything) {
  tables_ = {{"", "t"}, {"", "keyless"}, {"", "gone"}};
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE keyless (a int);"
      "DO 'BEGIN CREATE ROLE switchyard_capture LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
      "END'");
  EXPECT_THAT(StartAndAwaitEnd(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           AllOf(HasSubstr("has no switchyard.capture_stream"),
                                                 HasSubstr("there is no publication"))));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"),
            "0");
}

TEST_F(CaptureRestartTest, WhatIsWrongWithOneTableDoesNotStopTheOthers) {
  tables_ = {{"", "t"}, {"", "u"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
  AwaitCopied();
  Run("ALTER PUBLICATION " + options().stream.publication + " DROP TABLE u");
  AwaitScalar(
      "SELECT count(*) FROM switchyard.capture_suspect WHERE table_name = 'u' AND reason "
      "LIKE 'not in the publication%' AND next_step <> '' AND cleared_at IS NULL",
      "1");
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  Run("ALTER TABLE u RENAME TO v");
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  Run("INSERT INTO t VALUES (1)");
  AwaitCaughtUp();
  EXPECT_EQ(Replica().Rows("public", "t"), testing::SourceRows(*owner_, "t"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_suspect WHERE reason LIKE 'renamed to%'",
              "1");
}

// Promise 8.12. Its commits are in the WAL, and visible to nobody.
TEST_F(CaptureRestartTest, ASynchronousStandbyThatIsAwayIsWaitedForUnderOneEpoch) {
  BeginTable();
  StopAndAwaitFreeSlot();
  Start();  // no change of the table was met on this connection
  ASSERT_TRUE(running_->AwaitStreaming(2));
  Run("ALTER SYSTEM SET synchronous_standby_names = 'away'");
  Run("SELECT pg_reload_conf()");
  ASSERT_OK_AND_ASSIGN(const auto application, server_->Connect(database_));
  std::thread writer([&] { EXPECT_OK(application->Execute("INSERT INTO t VALUES (9, 'late')")); });
  AwaitScalar(
      "SELECT count(*) FROM switchyard.capture_stream "
      "WHERE refusal ~ 'a synchronous standby is away.*; next: bring the standby back'",
      "1");
  Run("ALTER SYSTEM RESET synchronous_standby_names");
  Run("SELECT pg_reload_conf()");
  writer.join();
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Scalar("SELECT epoch FROM switchyard.capture_stream"), "2");
  EXPECT_EQ(Scalar("SELECT refusal IS NULL FROM switchyard.capture_stream"), "t");
}

}  // namespace
}  // namespace switchyard::capture
