// The gate that every writer passes, and the mark it leaves (common/records/mark.h).
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/mapping/plan_change.h"
#include "common/pg/error.h"
#include "common/records/mark.h"
#include "replayer/copy/begin_anew.h"
#include "tests/support/await.h"
#include "tests/support/captured_log.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);

constexpr char kOld[] =
    "CREATE TABLE t (id int PRIMARY KEY, v text);"
    "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL)";
constexpr char kNew[] =
    "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'));"
    "CREATE TABLE users (email text PRIMARY KEY, accounts bigint)";
constexpr char kForward[] =
    "  - {table: public.t, copy: t}\n"
    "  - table: public.users\n"
    "    from: {people: email}\n"
    "    scope: email\n"
    "    select: SELECT email, count(*) AS accounts FROM people GROUP BY email\n";
constexpr char kRows[] =
    "INSERT INTO t SELECT i, 'first' FROM generate_series(1, 500) i;"
    "INSERT INTO people VALUES (1, 'a@x'), (2, 'b@x')";

// Statements that write what is watched note who they are. A table that is locked by its name lets
// no statement begin.
constexpr char kWatch[] = R"(
  CREATE TABLE seen (writer text, of_table text, marked boolean);
  CREATE TABLE passed (first boolean);
  CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE marks record;
  BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext(TG_TABLE_NAME));
    -- Its xmin would be another one had the gate been passed in a savepoint.
    SELECT string_agg(writer, ', ') AS writers,
           count(*) = 1 AND bool_and(xmin::text = (txid_current() % (1::bigint << 32))::text) AS own
    INTO marks FROM switchyard.mark WHERE xid = txid_current();
    INSERT INTO public.seen VALUES (marks.writers, TG_TABLE_NAME, coalesce(marks.own, false));
    RETURN NULL;
  END $$;
  -- Nothing has been written before the gate when the transaction has no id yet.
  CREATE FUNCTION note_gate() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE first boolean := txid_current_if_assigned() IS NULL;
  BEGIN
    INSERT INTO public.passed VALUES (first);
    RETURN NULL;
  END $$;
  CREATE TRIGGER note_gate BEFORE UPDATE OF xid ON switchyard.mark FOR EACH STATEMENT
    EXECUTE FUNCTION note_gate();
  ALTER TABLE switchyard.mark ENABLE ALWAYS TRIGGER note_gate;
  DO $$
  DECLARE watched regclass;
  BEGIN
    FOREACH watched IN ARRAY ARRAY['t', 'users', 'switchyard_old.people', 'switchyard.id_map'] LOOP
      EXECUTE format('CREATE TRIGGER note_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON '
                     '%1$s FOR EACH STATEMENT EXECUTE FUNCTION public.note_write();'
                     'ALTER TABLE %1$s ENABLE ALWAYS TRIGGER note_write', watched);
    END LOOP;
  END $$)";

class GateTest : public testing::ReplayFixture {
 protected:
  void SetUp() override {
    ReplayFixture::SetUp();
    options_.batch_rows_max = 100;
    ASSERT_OK_AND_ASSIGN(beside_, server_->Connect("new_db"));
    ASSERT_OK(Prepare(kOld, kNew, kForward, kRows));
    ASSERT_OK(OnNew(kWatch));
  }
  void TearDown() override {
    beside_.reset();  // a writer may wait for it
    ReplayFixture::TearDown();
  }

  absl::Status MoveEpoch(int64_t epoch) {
    return new_->InTransaction([&] { return records::MoveOwnerEpoch(*new_, "test", epoch); });
  }
  absl::Status Bar(const std::string& table) {
    return beside_->Query("SELECT pg_advisory_lock(hashtext($1))", {table}).status();
  }
  // Who writes the barred table is under way: the epoch can't be moved. Then it may go on.
  void ExpectWaitedFor(const std::string& table, const std::string& writer) {
    SCOPED_TRACE(writer);
    // A replayer that starts waits for the end of the one before, too: by another lock.
    ASSERT_OK(AwaitNew(
        absl::StrCat("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT "
                     "granted AND objid = (hashtext('",
                     table, "')::bigint & 4294967295)::oid"),
        "t"));
    const std::string seen =
        " FROM seen WHERE of_table = '" + table + "' AND writer LIKE '" + writer + "%' AND marked";
    const std::string before = New("SELECT count(*)" + seen);
    ASSERT_OK(OnNew("SET lock_timeout = '50ms'"));
    EXPECT_EQ(pg::StatusSqlState(MoveEpoch(7)), "55P03");
    ASSERT_OK(OnNew("SET lock_timeout = 0"));
    ASSERT_OK(beside_->Query("SELECT pg_advisory_unlock(hashtext($1))", {table}).status());
    ASSERT_OK(AwaitNew("SELECT count(*) > " + before + seen, "t"));
  }
  absl::Status AskForCopy() {
    RETURN_IF_ERROR(
        OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
              "SELECT name, 'recopy', 'public.t', epoch, lsn, log_offset FROM switchyard.stream"));
    RETURN_IF_ERROR(capture_->Recopy("t"));
    RETURN_IF_ERROR(OnOld("UPDATE people SET email = 'c@x' WHERE id = 2"));
    return capture_->Pump();
  }
  absl::Status AskToDerive() {
    return OnNew(
        absl::StrCat("INSERT INTO switchyard.request (stream, kind, argument) VALUES "
                     "('test.forward', 'resume', '",
                     mapping::ResumeWorkToText({.recompute = {"public.users"}}), "')"));
  }
  absl::Status AwaitAnswers() {
    return AwaitNew("SELECT count(*) FROM switchyard.request WHERE state <> 'done'", "0");
  }
  void ExpectAllMarked() {
    EXPECT_EQ(New("SELECT writer, of_table FROM seen WHERE NOT marked"), "");
    EXPECT_EQ(New("SELECT DISTINCT first FROM passed"), "t");
  }
  void ExpectEqual() {
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New("SELECT id, v FROM t ORDER BY id"), Old("SELECT id, v FROM t ORDER BY id"));
    EXPECT_EQ(New("SELECT email, accounts FROM users ORDER BY 1"),
              Old("SELECT email, count(*) FROM people GROUP BY 1 ORDER BY 1"));
  }

  std::unique_ptr<pg::Session> beside_;
};

TEST_F(GateTest, EveryTransactionThatWritesBeginsWithItAndIsWaitedFor) {
  ASSERT_OK(Bar("t"));
  ASSERT_OK(Bar("users"));
  ASSERT_OK(StartReplayer());
  ExpectWaitedFor("t", "copy lane ");
  ExpectWaitedFor("users", "copy");
  ASSERT_OK(CatchUp());

  ASSERT_OK(Bar("users"));
  ASSERT_OK(OnOld("INSERT INTO people VALUES (3, 'a@x')"));
  ASSERT_OK(capture_->Pump());
  ExpectWaitedFor("users", "apply");
  ASSERT_OK(Bar("t"));  // in chunks
  ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'many' FROM generate_series(1001, 1500) i"));
  ASSERT_OK(capture_->Pump());
  ExpectWaitedFor("t", "apply");

  ASSERT_OK(OnOld("UPDATE t SET v = 'bad' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_v_check"));
  ASSERT_OK(Bar("t"));
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind) VALUES ('test.forward', "
            "'quarantine_retry')"));
  ExpectWaitedFor("t", "retry");
  ASSERT_OK(AwaitAnswers());

  ASSERT_OK(Bar("t"));
  ASSERT_OK(AskForCopy());
  ExpectWaitedFor("t", "recopy");
  ASSERT_OK(AwaitAnswers());

  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(AskToDerive());
  ASSERT_OK(Bar("users"));
  ASSERT_OK(StartReplayer());
  ExpectWaitedFor("users", "resume");
  ASSERT_OK(AwaitAnswers());
  ExpectEqual();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(BeginAnew(options_.target, plan_, {}, log_cancel_));
  EXPECT_EQ(New("SELECT count(*) FROM t"), "0");
  ExpectAllMarked();
}

// Moves the epoch in the first transaction that does `event`.
std::string MovesAt(const std::string& name, const std::string& event, const std::string& table) {
  return absl::StrFormat(
      "CREATE TABLE still_%1$s ();"
      "CREATE FUNCTION at_%1$s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "IF to_regclass('public.still_%1$s') IS NOT NULL THEN DROP TABLE public.still_%1$s;"
      "UPDATE switchyard.mark SET owner_epoch = owner_epoch + 1; END IF; RETURN NULL; END $$;"
      "CREATE TRIGGER at_%1$s AFTER %2$s ON %3$s FOR EACH ROW EXECUTE FUNCTION public.at_%1$s();"
      "ALTER TABLE %3$s ENABLE ALWAYS TRIGGER at_%1$s",
      name, event, table);
}

// What it would have written it writes under the new epoch.
TEST_F(GateTest, WhoComesAfterTheEpochMovedWritesNothingAndReadsAgain) {
  testing::CapturedLog log;
  const auto await_refused = [&](const std::string& writer) {
    return testing::Await("the gate is closed for " + writer, kPatience, [&] {
      return log.Has("may not write (writer " + writer + "): the owner's epoch is");
    });
  };
  const auto move = [&] {
    return OnNew("UPDATE switchyard.mark SET owner_epoch = owner_epoch + 1");
  };
  // Under the feet of those that copy: in a transaction of the loader, then in one of its lane.
  options_.copy_workers = 1;
  ASSERT_OK(OnNew(MovesAt("point", "INSERT", "switchyard.copy")));
  ASSERT_OK(OnNew(MovesAt("rows", "UPDATE OF rows", "switchyard.copy")));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(await_refused("copy lane 0"));
  ASSERT_OK(await_refused("copy"));
  ExpectEqual();

  ASSERT_OK(move());
  ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'many' FROM generate_series(1001, 1500) i"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(await_refused("apply"));
  ExpectEqual();

  ASSERT_OK(OnOld("UPDATE t SET v = 'bad' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_v_check"));
  ASSERT_OK(move());
  ASSERT_OK(RetryQuarantine());
  ASSERT_OK(await_refused("retry"));
  ExpectEqual();

  ASSERT_OK(OnNew(MovesAt("applied", "UPDATE", "switchyard_old.people")));
  ASSERT_OK(AskForCopy());
  ASSERT_OK(await_refused("recopy"));
  ASSERT_OK(AwaitAnswers());

  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(AskToDerive());
  ASSERT_OK(OnNew(MovesAt("begun", "UPDATE OF doing", "switchyard.stream")));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(await_refused("resume"));
  ASSERT_OK(AwaitAnswers());
  ExpectEqual();
  ExpectAllMarked();
}

TEST_F(GateTest, ALostRowIsMadeAgain) {
  testing::CapturedLog log;
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("DELETE FROM switchyard.mark"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second'"));
  ExpectEqual();
  EXPECT_THAT(log.text(), HasSubstr("(writer apply): its row in switchyard.mark is gone"));
}

}  // namespace
}  // namespace switchyard::replayer
