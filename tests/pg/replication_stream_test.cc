#include "common/pg/replication/replication_stream.h"

#include <algorithm>
#include <string>
#include <thread>

#include "common/pg/replication/slot.h"
#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::MiniPostgres;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

class ReplicationStreamTest : public SessionFixture {
 protected:
  static void SetUpTestSuite() {
    auto started =
        MiniPostgres::Start(MiniPostgres::Options{.settings = {{"wal_sender_timeout", "1500ms"}}});
    CheckOk(started.status());
    server_ = std::move(*started).release();
    CheckOk(server_->Execute("postgres",
                             "CREATE TABLE t (id int PRIMARY KEY, x text);"
                             "CREATE PUBLICATION \"Odd, 'pub\" FOR TABLE t"));
  }

  // A slot of the test's own, gone with it.
  void SetUp() override {
    SessionFixture::SetUp();
    slot_ = "test_slot";
    ASSERT_OK(
        session_->Execute("SELECT pg_create_logical_replication_slot('test_slot', "
                          "'pgoutput'); TRUNCATE t"));
  }
  void TearDown() override {
    stream_.reset();
    ASSERT_TRUE(Await("SELECT count(*) = 0 FROM pg_replication_slots WHERE active"));
    ASSERT_OK(server_->Execute("postgres",
                               "SELECT pg_drop_replication_slot(slot_name) FROM "
                               "pg_replication_slots"));
  }

  ReplicationOptions Options() const {
    return {.dsn = server_->dsn(),
            .application_name = "stream test",
            .slot = slot_,
            .publication = "Odd, 'pub"};
  }
  void Start(const ReplicationOptions& options) {
    auto stream = ReplicationStream::Start(options, cancel_);
    ASSERT_OK(stream);
    stream_ = std::move(*stream);
  }

  // The type bytes of the next pgoutput messages, up to and with the first `last`.
  absl::StatusOr<std::string> TypesUntil(char last) {
    std::string types;
    while (types.empty() || types.back() != last) {
      ASSIGN_OR_RETURN(const auto frame, stream_->Read(kLong));
      if (!frame.has_value()) return absl::DeadlineExceededError("only " + types);
      if (frame->kind != Frame::Kind::kData) continue;
      types += frame->payload.substr(0, 1);
      last_start_ = frame->start;
      last_payload_ = frame->payload;
    }
    return types;
  }

  // Reads until an error comes.
  absl::Status ReadToEnd() {
    const absl::Time deadline = absl::Now() + kLong;
    while (absl::Now() < deadline) {
      const auto frame = stream_->Read(kLong);
      if (!frame.ok()) return frame.status();
    }
    return absl::OkStatus();
  }

  std::string slot_;
  std::unique_ptr<ReplicationStream> stream_;
  Lsn last_start_;
  std::string last_payload_;
};

TEST_F(ReplicationStreamTest, BringsATransactionWholeAndInOrder) {
  Start(Options());
  ASSERT_OK(
      session_->Execute("BEGIN; INSERT INTO t VALUES (1, 'one'); UPDATE t SET x = 'two';"
                        "DELETE FROM t; COMMIT"));
  ASSERT_OK_AND_ASSIGN(std::string truncate, TypesUntil('C'));  // of the set-up
  EXPECT_EQ(truncate, "BRTC");
  ASSERT_OK_AND_ASSIGN(const std::string types, TypesUntil('C'));
  EXPECT_EQ(types, "BRIUDC");  // TRUNCATE makes the relation be told anew
  EXPECT_GT(last_start_, Lsn());
}

TEST_F(ReplicationStreamTest, BringsMessagesOnlyWhereAskedTo) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  ASSERT_OK(session_->Execute("SELECT pg_logical_emit_message(true, 'switchyard', 'beat')"));
  ASSERT_OK_AND_ASSIGN(const std::string types, TypesUntil('C'));
  EXPECT_EQ(types, "BMC");
}

TEST_F(ReplicationStreamTest, CarriesAValueOfAHundredMegabytes) {
  // Decoding it takes the server longer than the other tests' time-out on a busy machine.
  ASSERT_OK(session_->Execute(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET wal_sender_timeout = ''60s''', "
      "current_database()); END $$"));
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  ASSERT_OK(session_->Execute("INSERT INTO t VALUES (1, repeat('x', 100 * 1024 * 1024))"));
  ASSERT_OK(TypesUntil('I'));
  EXPECT_GT(last_payload_.size(), 100u << 20);
  ASSERT_OK(TypesUntil('C'));
}

TEST_F(ReplicationStreamTest, AcknowledgedPositionsReachTheSlotAndNeverGoBack) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  const Lsn end(last_start_.value() + 1);
  ASSERT_OK(stream_->Acknowledge(end, /*now=*/true));
  const std::string confirmed =
      "SELECT confirmed_flush_lsn >= '" + end.ToString() + "' FROM pg_replication_slots";
  EXPECT_TRUE(Await(confirmed));
  ASSERT_OK(stream_->Acknowledge(Lsn(1), /*now=*/true));
  // Without `now` it goes with the next regular answer.
  ASSERT_OK(session_->Execute("INSERT INTO t VALUES (1)"));
  ASSERT_OK(TypesUntil('C'));
  ASSERT_OK(stream_->Acknowledge(last_start_, /*now=*/false));
  EXPECT_TRUE(Await("SELECT confirmed_flush_lsn >= '" + last_start_.ToString() +
                    "' FROM pg_replication_slots"));
}

TEST_F(ReplicationStreamTest, WhatWasNotAcknowledgedComesAgain) {
  Start(Options());
  ASSERT_OK_AND_ASSIGN(const std::string first, TypesUntil('C'));
  stream_.reset();
  ASSERT_TRUE(Await("SELECT NOT active FROM pg_replication_slots"));
  Start(Options());
  ASSERT_OK_AND_ASSIGN(const std::string again, TypesUntil('C'));
  EXPECT_EQ(again, first);
}

TEST_F(ReplicationStreamTest, KeepalivesAreAnsweredWhileTheReaderIsBusyElsewhere) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  // More than twice wal_sender_timeout without a Read.
  ASSERT_TRUE(Await("SELECT reply_time IS NOT NULL FROM pg_stat_replication"));
  const std::string begin = Scalar("SELECT clock_timestamp()");
  EXPECT_TRUE(Await("SELECT coalesce(max(reply_time) > '" + begin +
                    "'::timestamptz + interval '3.5 s', true) FROM pg_stat_replication"));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_stat_replication"), "1");
  ASSERT_OK(session_->Execute("INSERT INTO t VALUES (1)"));
  EXPECT_OK(TypesUntil('C'));
}

TEST_F(ReplicationStreamTest, KeepalivesAreAnsweredWhileMoreDataWaitsThanBuffersHold) {
  Start(Options());
  ASSERT_OK(session_->Execute(
      "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i"));
  const std::string begin = Scalar("SELECT clock_timestamp()");
  EXPECT_TRUE(Await("SELECT coalesce(max(reply_time) > '" + begin +
                    "'::timestamptz + interval '3.5 s', true) FROM pg_stat_replication"));
  ASSERT_OK(TypesUntil('C'));
  ASSERT_OK_AND_ASSIGN(const std::string types, TypesUntil('C'));
  EXPECT_EQ(std::count(types.begin(), types.end(), 'I'), 20000);
}

TEST_F(ReplicationStreamTest, TellsWhenNothingComes) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  const absl::Time deadline = absl::Now() + kLong;
  std::optional<Frame> frame;
  do {
    ASSERT_OK_AND_ASSIGN(frame, stream_->Read(absl::Milliseconds(1)));
  } while (frame.has_value() && absl::Now() < deadline);
  EXPECT_EQ(frame, std::nullopt);
}

TEST_F(ReplicationStreamTest, KeepalivesTellTheServersPosition) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  ASSERT_OK(session_->Execute("CREATE TABLE unpublished (); DROP TABLE unpublished"));
  ASSERT_OK_AND_ASSIGN(const Lsn now, Lsn::Parse(Scalar("SELECT pg_current_wal_lsn()")));
  const absl::Time deadline = absl::Now() + kLong;
  Lsn seen;
  while (seen < now && absl::Now() < deadline) {
    ASSERT_OK_AND_ASSIGN(const auto frame, stream_->Read(kLong));
    ASSERT_TRUE(frame.has_value());
    if (frame->kind == Frame::Kind::kKeepalive) seen = frame->wal_end;
    EXPECT_LT(absl::FromUnixMicros(frame->send_time_us) - absl::Now(), absl::Minutes(1));
    EXPECT_LT(absl::Now() - absl::FromUnixMicros(frame->send_time_us), absl::Minutes(1));
  }
  EXPECT_GE(seen, now);
}

TEST_F(ReplicationStreamTest, NamesTheReasonWhyASlotCantBeUsed) {
  Start(Options());
  const auto second = ReplicationStream::Start(Options(), cancel_);
  EXPECT_THAT(
      second.status(),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("55006"),
                     HasSubstr("active for PID " + std::to_string(stream_->backend_pid())))));
  EXPECT_EQ(StatusSqlState(second.status()), "55006");

  ReplicationOptions options = Options();
  options.slot = "no_such_slot";
  const auto missing = ReplicationStream::Start(options, cancel_);
  EXPECT_THAT(missing.status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no_such_slot")));
  EXPECT_EQ(StatusSqlState(missing.status()), "42704");

  options.slot = "Not a slot's \"name\"";
  EXPECT_FALSE(ReplicationStream::Start(options, cancel_).ok());
}

TEST_F(ReplicationStreamTest, AMissingPublicationShowsAtTheFirstChange) {
  ReplicationOptions options = Options();
  options.publication = "no_such_publication";
  Start(options);
  const absl::Status status = ReadToEnd();
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("\"no_such_publication\""), HasSubstr("does not exist"))));
  // From Postgres 18 on it is a warning only, and the changes are left out.
  EXPECT_EQ(StatusSqlState(status), server_->version() >= 18 ? "55000" : "42704");
  EXPECT_EQ(stream_->Read(kLong).status(), status);  // and stays
  EXPECT_EQ(stream_->Acknowledge(Lsn(1), true), status);
}

// The warning has the SQLSTATE of a publication that is missing.
TEST_F(ReplicationStreamTest, AStandbyThatIsAwayIsWaitedFor) {
  if (server_->version() < 17) GTEST_SKIP() << "since Postgres 17";
  ASSERT_OK(session_->Execute(
      "SELECT pg_create_physical_replication_slot('standby', true);"
      "SELECT pg_create_logical_replication_slot('kept', 'pgoutput', failover => true)"));
  ASSERT_OK(session_->Execute("ALTER SYSTEM SET synchronized_standby_slots = 'standby'"));
  ASSERT_OK(session_->Execute("SELECT pg_reload_conf()"));
  slot_ = "kept";
  Start(Options());
  ASSERT_OK(session_->Execute("INSERT INTO t VALUES (1, 'waits')"));
  ASSERT_TRUE(
      Await("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = "
            "'WaitForStandbyConfirmation'"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto frame, stream_->Read(absl::Milliseconds(20)));
    ASSERT_FALSE(frame.has_value() && frame->kind == Frame::Kind::kData);
  }
  ASSERT_OK(session_->Execute("ALTER SYSTEM RESET synchronized_standby_slots"));
  ASSERT_OK(session_->Execute("SELECT pg_reload_conf()"));
  ASSERT_OK_AND_ASSIGN(const std::string types, TypesUntil('C'));
  EXPECT_EQ(types, "BRIC");
}

TEST_F(ReplicationStreamTest, ARoleWithoutTheRightIsRefused) {
  ASSERT_OK(session_->Execute("CREATE ROLE plain LOGIN"));
  ReplicationOptions options = Options();
  options.dsn = server_->dsn() + " user=plain";
  EXPECT_THAT(ReplicationStream::Start(options, cancel_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("42501")));
}

TEST_F(ReplicationStreamTest, ALostConnectionIsUnavailable) {
  auto proxy = Proxy();
  ReplicationOptions options = Options();
  options.dsn = proxy->dsn();
  Start(options);
  ASSERT_OK(TypesUntil('C'));
  std::thread cutter([&] { proxy->CutAll(); });
  EXPECT_THAT(ReadToEnd(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("")));
  cutter.join();
}

TEST_F(ReplicationStreamTest, AWalsenderEndedByHandIsUnavailable) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  Scalar("SELECT pg_terminate_backend(" + std::to_string(stream_->backend_pid()) + ")");
  EXPECT_THAT(ReadToEnd(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("57P01")));
}

TEST_F(ReplicationStreamTest, ShutdownEndsTheWait) {
  Start(Options());
  ASSERT_OK(TypesUntil('C'));
  std::thread stopper([&] { cancel_.Request(); });
  EXPECT_THAT(ReadToEnd(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
  stopper.join();
}

TEST_F(ReplicationStreamTest, TheSlotIsFreeSoonAfterTheStreamIsDropped) {
  // Also in the middle of a large transaction.
  ASSERT_OK(session_->Execute(
      "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i"));
  Start(Options());
  ASSERT_OK(TypesUntil('I'));
  stream_.reset();
  EXPECT_TRUE(Await("SELECT NOT active FROM pg_replication_slots"));
}

TEST(ReplicationShutdownTest, AServerThatShutsDownEndsTheStreamOnceEverythingIsConfirmed) {
  ASSERT_OK_AND_ASSIGN(auto server, MiniPostgres::Start());
  ASSERT_OK(server->Execute("postgres", "CREATE PUBLICATION p"));
  ASSERT_OK(
      server->Execute("postgres", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')"));
  Cancel cancel;
  ASSERT_OK_AND_ASSIGN(
      auto stream,
      ReplicationStream::Start(
          {.dsn = server->dsn(), .application_name = "shutdown", .slot = "s", .publication = "p"},
          cancel));
  std::thread stopper([&] { EXPECT_OK(server->Stop(MiniPostgres::StopMode::kFast)); });
  absl::Status status;
  while (status.ok()) {
    const auto frame = stream->Read(kLong);
    status = frame.status();
    if (status.ok() && frame->has_value()) {
      status = stream->Acknowledge((*frame)->wal_end, (*frame)->reply_requested);
    }
  }
  stopper.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
}

}  // namespace
}  // namespace switchyard::pg
