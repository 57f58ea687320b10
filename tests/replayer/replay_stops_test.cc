// Where the replayer ends, and says why and what to do; and where it waits because it is held.
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "tests/support/await.h"
#include "tests/support/captured_log.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using ReplayStopsTest = testing::ReplayFixture;

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text, n int UNIQUE)";
constexpr char kCopyT[] = "  - {table: public.t, copy: t}\n";
constexpr char kAll[] = "SELECT * FROM t ORDER BY id";

// What opens a transaction of the copy, and then an event of a program to come: the reason must
// outlive that transaction.
TEST_F(ReplayStopsTest, WhyTheCopyStoppedIsKeptForStatus) {
  ASSERT_OK(log_->CreateTopic("test.forward.copy"));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter("test.forward.copy"));
  for (const uint32_t format : {1, 9}) {
    event::v1::Event hello;
    hello.set_format(format);
    hello.set_epoch(1);
    hello.mutable_hello()->set_start_lsn(1);
    ASSERT_OK(writer->Append("", hello.SerializeAsString()));
  }
  ASSERT_OK(writer->Flush(absl::Seconds(30)));
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("an event of format 9 at offset 1; this program reads format 1; next: "
                        "upgrade it"));
  EXPECT_FALSE(StopReplayer().ok());
}

TEST_F(ReplayStopsTest, StopsBeforeATransactionWhoseTableNoLongerFits) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(OnOld("ALTER TABLE t DROP COLUMN v"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 2)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_EQ(New(kAll), "1|a|1");
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"), HasSubstr("column v of public.t"));
  EXPECT_THAT(StopReplayer(),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("resume")));
}

// Promise 8.14. What a trigger of NEW raises may quote the row, and need not be about it.
TEST_F(ReplayStopsTest, WhatATriggerOfNewRaisesStopsWithoutItsText) {
  options_.target.replica_role = false;
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew(
      "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "RAISE EXCEPTION 'no room for %', NEW.v USING DETAIL = 'it is ' || NEW.v, HINT = NEW.v; "
      "END $$; "
      "CREATE TRIGGER no_room BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no_room()"));
  testing::CapturedLog lines;
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'secret', 1)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  const std::string why = New("SELECT stop_reason FROM switchyard.stream");
  EXPECT_THAT(why, AllOf(HasSubstr("public.t"), HasSubstr("P0001"), HasSubstr("server's log"),
                         HasSubstr("; next: see in NEW's log which trigger")));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(absl::StrCat(why, lines.text()), ::testing::Not(HasSubstr("secret")));
  ASSERT_OK(OnNew("ALTER TABLE t DISABLE TRIGGER no_room"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|secret|1");
}

// Rounded to the digits that the column had, it would be another value, and nobody told.
TEST_F(ReplayStopsTest, StopsWhereAColumnHasMoreDigitsThanTheMappingKnows) {
  struct {
    const char* before;
    const char* after;
    const char* value;
  } const kCases[] = {{"numeric(12,2)", "numeric(12,4)", "1.2345"},
                      {"numeric(5,-2)[]", "numeric[]", "{12345}"},
                      {"timestamp(0)", "timestamp(3)", "2011-03-04 05:06:07.891"},
                      {"interval year to month", "interval", "1 year 2 mons 3 days"}};
  for (const auto& [before, after, value] : kCases) {
    const std::string table = absl::StrCat("CREATE TABLE d (id int PRIMARY KEY, v ", before, ")");
    ASSERT_OK(Start(table, "CREATE TABLE d (id int PRIMARY KEY, v text)",
                    "  - {table: public.d, copy: d, set: {v: v::text}}\n",
                    "INSERT INTO d VALUES (1, NULL)"));
    ASSERT_OK(OnOld(absl::StrCat("ALTER TABLE d ALTER COLUMN v TYPE ", after)));
    ASSERT_OK(OnOld(absl::StrCat("INSERT INTO d VALUES (2, '", value, "')")));
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_EQ(New("SELECT count(*) FROM d"), "1");
    EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
                HasSubstr("column v of public.d has more digits or fields"));
    TearDown();
    SetUp();
  }
}

// The replica role would let it be broken without a word.
TEST_F(ReplayStopsTest, StopsWhenNewIsGivenAConstraintThatNobodyChecks) {
  options_.look_interval = absl::ZeroDuration();
  ASSERT_OK(Start(kTable,
                  "CREATE TABLE t (id int PRIMARY KEY, v text, n int) PARTITION BY RANGE (id);"
                  "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)",
                  kCopyT, "INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(
      OnNew("CREATE TABLE t2 PARTITION OF t (CONSTRAINT once UNIQUE (n) DEFERRABLE) "
            "FOR VALUES FROM (100) TO (200)"));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(
      New("SELECT stop_reason FROM switchyard.stream"),
      HasSubstr("next: ALTER TABLE public.t2 DROP CONSTRAINT \"once\", ADD CONSTRAINT \"once\" "
                "UNIQUE (n); then start"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew("ALTER TABLE t2 DROP CONSTRAINT once, ADD CONSTRAINT once UNIQUE (n)"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (101, 'b', 2)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitNew("SELECT n FROM t2", "2"));
}

// Else it would be waited for, with NEW copying for ever.
TEST_F(ReplayStopsTest, ACopyTopicDeletedBeforeItWasReadIsNamed) {
  ASSERT_OK(Prepare(kTable, kTable, kCopyT, "INSERT INTO t VALUES (1, 'a', 1)"));
  log_->DeleteTopic(options_.copy_topic);
  for (const char* how : {"is gone", "is empty"}) {
    ASSERT_OK(StartReplayer());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(StopReplayer(),
                testing::StatusIs(absl::StatusCode::kDataLoss,
                                  AllOf(HasSubstr(how), HasSubstr("recopy FILE --all"))));
    ASSERT_OK(log_->CreateTopic(options_.copy_topic));
    ASSERT_OK(OnNew("UPDATE switchyard.stream SET state = 'copying'"));
  }
}

// A re-copy that is older than the last TRUNCATE of a partition can't tell its rows either.
TEST_F(ReplayStopsTest, ATableStaysInDoubtUntilACopyIsYoungerThanTheTruncate) {
  constexpr char kPartitioned[] =
      "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)";
  constexpr char kRows[] = "SELECT id, v FROM p ORDER BY id";
  ASSERT_OK(Start(kPartitioned, kPartitioned, "  - {table: public.p, copy: p}\n",
                  "INSERT INTO p SELECT i, 'v' FROM generate_series(1, 199) i"));
  ASSERT_OK(CatchUp());
  const auto ask = [&] {
    return OnNew(
        "INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
        "SELECT name, 'recopy', 'p', epoch, lsn, log_offset FROM switchyard.stream");
  };
  const auto copy = [&] { return capture_->RecopyLeaves({"p1", "p2"}); };
  const auto stops = [&](const std::string& why) {
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(StopReplayer(),
                testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(why)));
  };
  ASSERT_OK(OnOld("TRUNCATE p1; INSERT INTO p VALUES (1, 'again')"));
  ASSERT_OK(capture_->Pump());
  stops("a partition of public.p was truncated");
  ASSERT_OK(ask());
  ASSERT_OK(copy());
  ASSERT_OK(OnOld("TRUNCATE p2; INSERT INTO p VALUES (150, 'again')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET state = 'catching_up'"));
  ASSERT_OK(StartReplayer());
  stops("NEW does not show public.p as OLD has it");
  EXPECT_THAT(New("SELECT state, result FROM switchyard.request WHERE kind = 'recopy'"),
              HasSubstr("failed|outdated"));
  EXPECT_EQ(New("SELECT count(*) FROM p"), "199");  // as it was
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET state = 'catching_up'"));
  ASSERT_OK(StartReplayer());
  stops("switchyard recopy FILE public.p");  // at once: its changes would wait for ever
  ASSERT_OK(ask());
  ASSERT_OK(copy());
  ASSERT_OK(OnOld("INSERT INTO p VALUES (2, 'later'); UPDATE p SET v = 'x' WHERE id = 150"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
}

TEST_F(ReplayStopsTest, IsHeldAtExactlyTheLsnAskedFor) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  const auto commit = [&](const std::string& row) {
    EXPECT_OK(OnOld("INSERT INTO t VALUES " + row));
    EXPECT_OK(capture_->Pump());
    return capture_->last_commit();
  };
  const auto hold = [&](Lsn at) {
    return OnNew("UPDATE switchyard.stream SET hold_lsn = '" + at.ToString() + "'");
  };
  const Lsn first = commit("(1, 'a', 1)");
  ASSERT_OK(CatchUp());
  ASSERT_OK(hold(Lsn(first.value() + 1)));
  commit("(2, 'b', 2)");
  ASSERT_OK(hold(commit("(3, 'c', 3)")));
  ASSERT_OK(AwaitNew("SELECT count(*) > 1 FROM t", "t"));
  EXPECT_EQ(New(kAll), "1|a|1\n2|b|2");
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET hold_lsn = NULL"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM t"), "3");
}

// Design: a hold is no error. It is answered also where nothing comes, and costs no connection.
TEST_F(ReplayStopsTest, AHoldIsAnsweredAndReleasedWithoutStartingOver) {
  constexpr char kHeld[] = "SELECT held_at = hold_lsn FROM switchyard.stream";
  constexpr char kSession[] = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted";
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  const auto commit = [&](const std::string& row) {
    EXPECT_OK(OnOld("INSERT INTO t VALUES " + row));
    EXPECT_OK(capture_->Pump());
    return capture_->last_commit();
  };
  const auto hold = [&](const std::string& at) {
    return OnNew("UPDATE switchyard.stream SET hold_lsn = " + at);
  };
  const auto quoted = [](Lsn lsn) { return "'" + lsn.ToString() + "'"; };
  const Lsn first = commit("(1, 'a', 1)");
  ASSERT_OK(CatchUp());
  const std::string session = New(kSession);
  ASSERT_OK(hold(quoted(Lsn(first.value() + 1))));
  ASSERT_OK(AwaitNew(kHeld, "t"));  // the log is read up to there
  commit("(2, 'b', 2)");
  const Lsn third = commit("(3, 'c', 3)");
  ASSERT_OK(hold(quoted(third)));
  ASSERT_OK(AwaitNew("SELECT count(*) FROM t", "2"));
  ASSERT_OK(AwaitNew(kHeld, "t"));  // the next commit was met
  ASSERT_OK(hold("NULL"));
  ASSERT_OK(CatchUp());
  // A hold that was passed already is never exact, but holds; what brings no commit goes on.
  ASSERT_OK(hold("lsn"));
  ASSERT_OK_AND_ASSIGN(const auto writer, log_->OpenWriter(options_.change_topic));
  event::v1::Event heartbeat;
  heartbeat.set_format(1);
  heartbeat.set_epoch(1);
  heartbeat.mutable_heartbeat()->set_lsn(third.value() + 500);
  ASSERT_OK(writer->Append("", heartbeat.SerializeAsString()));
  ASSERT_OK(
      AwaitNew("SELECT covered_lsn FROM switchyard.stream", Lsn(third.value() + 500).ToString()));
  commit("(4, 'd', 4)");
  ASSERT_OK(AwaitNew("SELECT held_at IS NULL FROM switchyard.stream", "t"));
  EXPECT_EQ(New("SELECT count(*) FROM t"), "3");
  ASSERT_OK(hold("NULL"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM t"), "4");
  EXPECT_EQ(New(kSession), session);
}

// Design: LISTEN wakes it. So the roles are told of holds and of requests, whoever writes them.
TEST_F(ReplayStopsTest, IsToldOfHoldsAndRequestsByTheDatabaseItself) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_OK_AND_ASSIGN(auto listener, server_->Connect("new_db"));
  const auto expect_told = [&](const std::string& sql) {
    ASSERT_OK(OnNew(sql));
    ASSERT_OK(listener->AwaitMessage(absl::Seconds(30)));
    ASSERT_OK_AND_ASSIGN(const auto told, listener->TakeNotifications());
    EXPECT_EQ(told, std::vector<std::string>{"test.forward"}) << sql;
  };
  ASSERT_OK(listener->Execute(absl::StrCat("LISTEN ", records::kNotifyChannel)));
  for (const char* hold : {"'0/10'", "'0/20'", "NULL"}) {
    expect_told(absl::StrCat("UPDATE switchyard.stream SET hold_lsn = ", hold));
  }
  expect_told(
      "INSERT INTO switchyard.request (stream, kind) VALUES ('test.forward', "
      "'quarantine_retry')");
  // Nothing else of the stream's row is of interest, least of all how it moves on.
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET hold_lsn = NULL, updated_at = now()"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(listener->Execute("SELECT 1"));
  ASSERT_OK_AND_ASSIGN(const auto others, listener->TakeNotifications());
  EXPECT_EQ(others, std::vector<std::string>());
}

// A hold that is moved on while the replayer waits at it: the commit it met was at the one before.
TEST_F(ReplayStopsTest, AHoldIsAnsweredByTheCommitThatIsNext) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  records::StreamStore store(*new_, options_.target.stream);
  const auto answers = [&](uint64_t next) {
    EXPECT_OK(store.AnswerHold(Lsn(next)));
    return New("SELECT held_at IS NOT DISTINCT FROM hold_lsn FROM switchyard.stream");
  };
  ASSERT_OK(OnNew("BEGIN; UPDATE switchyard.stream SET hold_lsn = lsn + 100000"));
  ASSERT_OK_AND_ASSIGN(const Lsn hold, Lsn::Parse(New("SELECT hold_lsn FROM switchyard.stream")));
  EXPECT_EQ(answers(hold.value() - 1), "f");
  EXPECT_EQ(answers(hold.value()), "t");
  EXPECT_EQ(answers(0), "f");
  ASSERT_OK(OnNew("ROLLBACK"));
}

// Promise 1: what the source was not told to be on the log is no loss.
TEST_F(ReplayStopsTest, AnEndOfTheLogThatNobodyWasToldOfComesAgain) {
  for (const bool notices_at_once : {true, false}) {
    SCOPED_TRACE(notices_at_once);
    ASSERT_OK(Start(kTable, kTable, kCopyT));
    ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
    ASSERT_OK(CatchUp());
    ASSERT_OK_AND_ASSIGN(const auto kept, log_->Describe(options_.change_topic));
    ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'b', 2); UPDATE t SET v = v || 'x'"));
    ASSERT_OK(capture_->DieAfter(1000));  // the slot stays where it was
    ASSERT_OK(AwaitNew("SELECT count(*) FROM t WHERE v LIKE '%x'", "2"));
    if (!notices_at_once) {
      ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
    }
    ASSERT_OK_AND_ASSIGN(const auto read, log_->Describe(options_.change_topic));
    log_->LoseEnd(options_.change_topic, static_cast<int>(read.next - kept.next) - 1);
    ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'c', i FROM generate_series(3, 40) i"));
    ASSERT_OK(capture_->NewEpoch());
    ASSERT_OK(capture_->Pump());
    ASSERT_OK_AND_ASSIGN(const auto now, log_->Describe(options_.change_topic));
    ASSERT_GT(now.next, read.next);  // the old place is in the midst of other records
    if (!notices_at_once) {
      ASSERT_OK(StartReplayer());
    }
    ASSERT_OK(OnOld("DELETE FROM t WHERE id = 7"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New(kAll), Old(kAll));
    EXPECT_EQ(New("SELECT state FROM switchyard.stream"), "streaming");
    TearDown();
    SetUp();
  }
}

struct NewsChange {
  const char* sql;
  const char* said;
};

// Promise 1.21: rows would be kept otherwise than was checked, rounded or cut short or in another
// column, without an error of NEW's.
TEST_F(ReplayStopsTest, WhatBecameOfNewsColumnsSinceTheStartStopsItBeforeARowIsWritten) {
  constexpr char kTwo[] = "CREATE TABLE t (id int PRIMARY KEY, v text, w text, n numeric(10, 2))";
  for (const NewsChange& change : std::initializer_list<NewsChange>{
           {"ALTER TABLE t ALTER n TYPE numeric(10, 1)",
            "column n of NEW's public.t was numeric(10,2) when the stream began, and is "
            "numeric(10,1) now: digits behind the point would be lost"},
           {"ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; ALTER TABLE t RENAME x TO w",
            "column v of NEW's public.t is another one than when the stream began"},
           {"ALTER TABLE t DROP v, ADD v text", "column v of NEW's public.t is another one"},
           {"ALTER TABLE t DROP v", "column v of NEW's public.t is not there any more"},
           {"ALTER TABLE t RENAME TO before; CREATE TABLE t (LIKE before INCLUDING ALL)",
            "NEW's public.t is another table than when the stream began"},
           {"ALTER TABLE t RENAME TO before", "NEW's public.t is not there any more"}}) {
    SCOPED_TRACE(change.sql);
    ASSERT_OK(Start(kTwo, kTwo, kCopyT, "INSERT INTO t VALUES (1, 'a', 'b', 1.25)"));
    ASSERT_OK(CatchUp());
    const std::string before = New("SELECT lsn FROM switchyard.stream");
    ASSERT_OK(OnNew(change.sql));
    ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'c', 'd', 2.25)"));
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(
        New("SELECT stop_reason FROM switchyard.stream"),
        AllOf(HasSubstr(change.said), HasSubstr("next: make it as it was, or change the mapping")));
    EXPECT_EQ(New("SELECT lsn FROM switchyard.stream"), before);
    EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
    TearDown();
    SetUp();
  }
}

// Nor does a type that refuses what it can't hold, or holds more.
TEST_F(ReplayStopsTest, ColumnsOfNewThatNothingFillsMayComeAndGo) {
  ASSERT_OK(Start(kTable, kTable, kCopyT, "INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(
      OnNew("ALTER TABLE t ADD extra int DEFAULT 7; CREATE INDEX ON t (v); "
            "ALTER TABLE t ALTER v SET NOT NULL"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'b', 2)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t ALTER extra TYPE bigint"));
  ASSERT_OK(OnOld("UPDATE t SET v = v || 'x'"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t DROP extra; ALTER TABLE t ALTER n TYPE bigint"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (3, NULL, 3), (4, 'd', 4)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|ax|1\n2|bx|2\n4|d|4");
  EXPECT_EQ(New("SELECT scope ->> 'id', sqlstate FROM switchyard.quarantine"), "3|23502");
}

// Nobody has to wait for the next row to hear of it.
TEST_F(ReplayStopsTest, WhatBecameOfNewsColumnsIsSeenWhileOldIsIdle) {
  options_.look_interval = absl::Milliseconds(10);
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t ALTER v TYPE name"));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
}

// What stands below the old place now is yet to be read.
TEST_F(ReplayStopsTest, AnEndOfTheLogThatComesAgainIsNotTrimmedBeforeItIsRead) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK_AND_ASSIGN(const auto kept, log_->Describe(options_.change_topic));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'b', 2); UPDATE t SET v = v || 'x'"));
  ASSERT_OK(capture_->DieAfter(1000));  // the slot stays where it was
  ASSERT_OK(AwaitNew("SELECT count(*) FROM t WHERE v LIKE '%x'", "2"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK_AND_ASSIGN(const auto read, log_->Describe(options_.change_topic));
  const int lost = static_cast<int>(read.next - kept.next) - 1;
  log_->LoseEnd(options_.change_topic, lost);
  ASSERT_OK(capture_->NewEpoch());
  ASSERT_OK(capture_->DieAfter(lost - 2));  // between two Hellos
  ASSERT_OK_AND_ASSIGN(const auto again, log_->Describe(options_.change_topic));
  ASSERT_EQ(again.next, read.next);  // to where it was read, by another record
  options_.trim_interval = absl::Milliseconds(1);
  ASSERT_OK(StartReplayer());
  for (int i = 0; i < 4; ++i) ASSERT_OK(RetryQuarantine());
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK_AND_ASSIGN(const auto now, log_->Describe(options_.change_topic));
  EXPECT_LT(now.first, kept.next + 1);
  ASSERT_OK(StartReplayer());
  ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'c', i FROM generate_series(3, 40) i"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayStopsTest, AnEndOfTheLogIsWaitedForUntilCapturePublishesItAgain) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(capture_->DieAfter(1000));
  ASSERT_OK(AwaitNew("SELECT count(*) FROM t", "1"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  log_->LoseEnd(options_.change_topic, 2);
  const testing::CapturedLog said;
  ASSERT_OK(StartReplayer());
  ASSERT_OK(testing::Await("it waits", absl::Seconds(30),
                           [&] { return said.Has("that is waited for"); }));
  EXPECT_NE(New("SELECT state FROM switchyard.stream"), "stopped");
  ASSERT_OK(capture_->NewEpoch());
  ASSERT_OK(OnOld("UPDATE t SET v = 'b'"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|b|1");
}

// Here the source was told: it has those changes no more.
TEST_F(ReplayStopsTest, AnEndOfTheLogThatTheSourceWasToldOfIsLost) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK_AND_ASSIGN(const auto before, log_->Describe(options_.change_topic));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK_AND_ASSIGN(const auto after, log_->Describe(options_.change_topic));
  log_->LoseEnd(options_.change_topic, static_cast<int>(after.next - before.next) + 1);
  ASSERT_OK(capture_->NewEpoch());
  ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'c', i FROM generate_series(2, 40) i"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              ::testing::AllOf(HasSubstr("the log has lost records in between"),
                               HasSubstr("switchyard recopy FILE --all")));
  EXPECT_EQ(New("SELECT count(*) FROM t"), "0");
}

}  // namespace
}  // namespace switchyard::replayer
