// Both streams at once: before a flip the reverse one keeps a mirror true, and nothing else.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/reverse_fixture.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;

// Which versions of which rows there are: whoever writes a row, even with the values it has, makes
// another one.
constexpr char kVersions[] =
    "SELECT md5(string_agg(v, ' ' ORDER BY v)) FROM "
    "(SELECT 'o' || ctid || xmin || xmax AS v FROM orders UNION ALL "
    "SELECT 'a' || ctid || xmin || xmax FROM accounts) AS r";

TEST_F(ReverseTest, BeforeAFlipReverseFillsItsMirrorAndNeverTouchesATableOfOld) {
  Prepare();
  const ProgramResult check = Program({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  const std::string before = Old(kVersions);
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(AwaitBothStreaming());
  EXPECT_EQ(Old("SELECT count(*) FROM switchyard_new.account"), "10");
  EXPECT_EQ(Old("SELECT count(*) FROM switchyard_new.phone"), "5");
  EXPECT_EQ(Old("SELECT to_regclass('switchyard_new.orders') IS NULL"), "t");
  EXPECT_EQ(Old(kVersions), before);

  ASSERT_OK(old_->Execute("old_db", R"(
    INSERT INTO orders VALUES (101, 1);
    UPDATE accounts SET name = 'another', phone = 'a phone' WHERE id = 1;
    DELETE FROM accounts WHERE id = 2)"));
  const std::string written = Old(kVersions);
  ASSERT_OK(AwaitOld("SELECT name FROM switchyard_new.account WHERE id = 1", "another"));
  ASSERT_OK(AwaitOld("SELECT phone FROM switchyard_new.phone WHERE account_id = 1", "a phone"));
  ASSERT_OK(AwaitOld("SELECT count(*) FROM switchyard_new.account", "9"));
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 101"), "1");
  EXPECT_EQ(Old(kVersions), written);
  ASSERT_OK(pipeline_->Stop());
}

constexpr char kLeft[] = R"(
  SELECT concat_ws(' ', (SELECT string_agg(slot_name, ' ') FROM pg_replication_slots),
                   (SELECT string_agg(pubname, ' ') FROM pg_publication),
                   (SELECT string_agg(nspname, ' ') FROM pg_namespace
                    WHERE nspname LIKE 'switchyard%')))";

TEST_F(ReverseTest, CheckNamesWhatEitherSideLacksAndTeardownTakesBothStreamsAway) {
  Prepare();
  ASSERT_OK(old_->Execute("old_db", R"(
    REVOKE UPDATE ON accounts FROM switchyard_capture;
    ALTER PUBLICATION switchyard_shop_forward DROP TABLE switchyard.old_side)"));
  ASSERT_OK(new_->Execute("new_db", R"(
    REVOKE SELECT ON phone FROM switchyard_replay;
    ALTER ROLE switchyard_replay NOREPLICATION;
    ALTER PUBLICATION switchyard_shop_reverse DROP TABLE switchyard.mark)"));
  const ProgramResult lacks = Program({"check", file_}, Roles());
  EXPECT_EQ(lacks.exit_code, 1);
  for (const char* expected :
       {"old: role \"switchyard_capture\" may not write table public.accounts",
        "old: publication \"switchyard_shop_forward\" lacks switchyard.old_side, which says from "
        "where on which side is the application's",
        "new: role \"switchyard_replay\" may not replicate",
        "new: publication \"switchyard_shop_reverse\" lacks switchyard.mark"}) {
    EXPECT_THAT(lacks.output, HasSubstr(expected));
  }
  Prepare();  // may be run again, and mends all but the role
  ASSERT_OK(new_->Execute("new_db", "ALTER ROLE switchyard_replay REPLICATION"));
  const ProgramResult check = Program({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;

  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(AwaitBothStreaming());
  const ProgramResult status = Program({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 0) << status.output;
  EXPECT_THAT(status.output, HasSubstr("OLD owns\n\nshop.forward  streaming  epoch "));
  EXPECT_THAT(status.output, HasSubstr("\nshop.reverse  streaming  epoch "));
  const ProgramResult json = Program({"status", file_, "--json"}, Roles());
  EXPECT_THAT(json.output, HasSubstr("\"owner\": \"old\",\n  \"epoch\": 0,"));
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult gone = Program({"teardown", file_, "--yes"}, Owners());
  EXPECT_EQ(gone.exit_code, 0) << gone.output;
  EXPECT_EQ(Old(kLeft), "");
  EXPECT_EQ(New(kLeft), "");
  EXPECT_EQ(Old("SELECT count(*) FROM accounts"), "10");
  EXPECT_EQ(New("SELECT count(*) FROM account"), "10");
}

// What Switchyard has marked, and what it has counted, on both sides.
constexpr char kMarked[] =
    "SELECT (SELECT string_agg(stream || writer || xid, ' ' ORDER BY stream, writer) "
    "FROM switchyard.mark) || (SELECT string_agg(name || transactions, ' ' ORDER BY name) "
    "FROM switchyard.stream)";
constexpr char kTransactions[] = "SELECT txid_snapshot_xmax(txid_current_snapshot())";

TEST_F(ReverseTest, AnEchoEndsWhereItArrives) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(AwaitBothStreaming());
  ASSERT_OK(old_->Execute("old_db",
                          "INSERT INTO orders VALUES (101, 1); INSERT INTO accounts VALUES (11, "
                          "'eleven', NULL)"));
  ASSERT_OK(AwaitNew("SELECT amount FROM orders WHERE id = 101", "1"));
  ASSERT_OK(AwaitOld("SELECT name FROM switchyard_new.account WHERE id = 11", "eleven"));
  // The echo of the mirror's row comes back to NEW, brings nothing, and is only read past.
  const std::string reached = Old("SELECT pg_current_wal_insert_lsn()");
  ASSERT_OK(AwaitNew("SELECT covered_lsn >= '" + reached + "' FROM switchyard.stream", "t"));
  const std::string old_marked = Old(kMarked);
  const std::string new_marked = New(kMarked);
  const absl::Time began = absl::Now();
  const int64_t old_before = std::stoll(Old(kTransactions));
  const int64_t new_before = std::stoll(New(kTransactions));
  // Ten times the interval at which heartbeats are sent, by what both streams say of them.
  for (int i = 0; i < 10; ++i) {
    const std::string covered = "SELECT covered_lsn > '%s' FROM switchyard.stream";
    const std::string old_lsn = Old("SELECT covered_lsn FROM switchyard.stream");
    const std::string new_lsn = New("SELECT covered_lsn FROM switchyard.stream");
    ASSERT_OK(AwaitOld(absl::StrReplaceAll(covered, {{"%s", old_lsn}}), "t"));
    ASSERT_OK(AwaitNew(absl::StrReplaceAll(covered, {{"%s", new_lsn}}), "t"));
  }
  EXPECT_EQ(Old(kMarked), old_marked);
  EXPECT_EQ(New(kMarked), new_marked);
  // A heartbeat noted each second, and a look at the catalogue every five.
  const int64_t seconds = absl::ToInt64Seconds(absl::Now() - began) + 1;
  EXPECT_LE(std::stoll(Old(kTransactions)) - old_before, 2 * seconds);
  EXPECT_LE(std::stoll(New(kTransactions)) - new_before, 2 * seconds);
  ASSERT_OK(pipeline_->Stop());
}

// What a cutover does to the records, in its order, and nothing else of it.
class FlipTest : public ReverseTest {
 protected:
  void SetUp() override {
    ReverseTest::SetUp();
    Prepare();
    StartPipeline();
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(AwaitBothStreaming());
    ASSERT_OK(new_->Execute("new_db",
                            "INSERT INTO switchyard.ownership (migration, owner, epoch, "
                            "owner_epoch) VALUES ('shop', 'old', 0, 0)"));
  }
  void GiveToNew() {
    ASSERT_OK(old_->Execute("old_db", R"(
      BEGIN;
      INSERT INTO switchyard.old_side (migration, state, epoch, owner_epoch)
        VALUES ('shop', 'closed', 1, 1)
        ON CONFLICT (migration) DO UPDATE SET state = 'closed', epoch = 1, owner_epoch = 1;
      UPDATE switchyard.mark SET owner_epoch = 1;
      COMMIT)"));
    ASSERT_OK(new_->Execute("new_db", R"(
      BEGIN;
      UPDATE switchyard.ownership SET owner = 'new', epoch = 1, owner_epoch = 1;
      UPDATE switchyard.mark SET owner_epoch = 1;
      COMMIT)"));
  }
};

TEST_F(FlipTest, AfterAFlipWhatNewsApplicationWritesIsInOldAndComesBackAsAnEcho) {
  ASSERT_OK(old_->Execute("old_db", "INSERT INTO orders VALUES (101, 1)"));
  ASSERT_OK(AwaitNew("SELECT amount FROM orders WHERE id = 101", "1"));
  GiveToNew();
  ASSERT_OK(new_->Execute("new_db", R"(
    INSERT INTO orders VALUES (102, 2);
    UPDATE orders SET amount = 7 WHERE id = 101;
    DELETE FROM orders WHERE id = 1;
    BEGIN;
    INSERT INTO account VALUES (11, 'eleven');
    INSERT INTO phone VALUES (11, 'phone 11');
    COMMIT;
    UPDATE account SET name = 'renamed' WHERE id = 2)"));
  ASSERT_OK(
      AwaitOld("SELECT string_agg(name || ' ' || phone, ',' ORDER BY id) FROM accounts "
               "WHERE id IN (2, 11)",
               "renamed phone 2,eleven phone 11"));
  EXPECT_EQ(Old("SELECT string_agg(id || ' ' || amount, ',' ORDER BY id) FROM orders WHERE id IN "
                "(1, 101, 102)"),
            "101 7,102 2");
  // Forward has read past its echo, and has written nothing.
  const std::string reached = Old("SELECT pg_current_wal_insert_lsn()");
  ASSERT_OK(AwaitNew("SELECT covered_lsn >= '" + reached + "' FROM switchyard.stream", "t"));
  const std::string old_marked = Old(kMarked);
  const std::string new_marked = New(kMarked);
  for (int i = 0; i < 3; ++i) {
    const std::string lsn = New("SELECT covered_lsn FROM switchyard.stream");
    ASSERT_OK(AwaitNew("SELECT covered_lsn > '" + lsn + "' FROM switchyard.stream", "t"));
  }
  EXPECT_EQ(Old(kMarked), old_marked);
  EXPECT_EQ(New(kMarked), new_marked);
  EXPECT_EQ(Old("SELECT count(*) FROM switchyard.breach"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.breach"), "0");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(FlipTest, AWriteToTheSideThatDoesNotOwnIsABreachAndReachesNobody) {
  // Before the flip: NEW.
  ASSERT_OK(new_->Execute("new_db", "UPDATE account SET name = 'too soon' WHERE id = 3"));
  ASSERT_OK(AwaitOld("SELECT name FROM switchyard_new.account WHERE id = 3", "too soon"));
  EXPECT_EQ(Old("SELECT name FROM accounts WHERE id = 3"), "name 3");
  EXPECT_EQ(Old("SELECT source || ' ' || operation || ' ' || (before ->> 'name') || ' -> ' || "
                "(after ->> 'name') FROM switchyard.breach"),
            "public.account update name 3 -> too soon");
  GiveToNew();
  ASSERT_OK(old_->Execute("old_db",
                          "UPDATE orders SET amount = 999 WHERE id = 5; DELETE FROM orders WHERE "
                          "id = 6"));
  ASSERT_OK(AwaitNew("SELECT count(*) FROM switchyard.breach", "2"));
  EXPECT_EQ(New("SELECT string_agg(operation || ' ' || (key ->> 'id') || coalesce(' ' || (after "
                "->> 'amount'), ''), ', ' ORDER BY id) FROM switchyard.breach"),
            "update 5 999, delete 6");
  EXPECT_EQ(New("SELECT string_agg(amount::text, ',' ORDER BY id) FROM orders WHERE id IN (5, 6)"),
            "5,6");
  const ProgramResult status = Program({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 1) << status.output;
  EXPECT_THAT(status.output, HasSubstr("2 rows were written to OLD, which does not own them"));
  EXPECT_THAT(status.output, HasSubstr("1 row was written to NEW, which does not own it"));
  EXPECT_THAT(status.output, HasSubstr("NEW owns since "));
  const ProgramResult listed = Program({"breach", file_, "list"}, Roles());
  EXPECT_EQ(listed.exit_code, 1);
  EXPECT_THAT(listed.output, HasSubstr("update public.orders of OLD {\"id\": \"5\"}"));
  EXPECT_THAT(listed.output, HasSubstr("shop: 3 rows were written to the side that does not own"));

  // One of a row-local table, by the replayer of NEW; and one that recomputes, by that of OLD.
  const ProgramResult applied = Program({"breach", file_, "apply", "forward-1"}, Roles());
  EXPECT_EQ(applied.exit_code, 0) << applied.output;
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 5"), "999");
  const ProgramResult derived = Program({"breach", "apply", file_, "reverse-1"}, Roles());
  EXPECT_EQ(derived.exit_code, 0) << derived.output;
  EXPECT_EQ(Old("SELECT name FROM accounts WHERE id = 3"), "too soon");
  EXPECT_EQ(Old("SELECT name FROM switchyard_new.account WHERE id = 3"), "too soon");
  EXPECT_EQ(Program({"breach", file_, "apply", "forward-1"}, Roles()).exit_code, 2);
  EXPECT_THAT(Program({"breach", file_, "list"}, Roles()).output,
              HasSubstr("shop: 1 row was written to the side that does not own"));
  ASSERT_OK(pipeline_->Stop());
}

// By its place in the log: each role was down while it was written, and the flip came after.
TEST_F(FlipTest, ABreachIsJudgedByWhoOwnedWhereItStandsInTheLog) {
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(new_->Execute("new_db", "UPDATE orders SET amount = 50 WHERE id = 50"));
  ASSERT_OK(old_->Execute("old_db", "UPDATE orders SET amount = 60 WHERE id = 60"));
  GiveToNew();
  ASSERT_OK(new_->Execute("new_db", "UPDATE orders SET amount = 71 WHERE id = 70"));
  ASSERT_OK(old_->Execute("old_db", "UPDATE orders SET amount = 81 WHERE id = 80"));
  ASSERT_OK(pipeline_->Start("capture"));  // as processes of their own
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(AwaitOld("SELECT amount FROM orders WHERE id = 70", "71"));
  ASSERT_OK(AwaitNew("SELECT count(*) FROM switchyard.breach", "1"));
  EXPECT_EQ(New("SELECT key ->> 'id' FROM switchyard.breach"), "80");
  EXPECT_EQ(Old("SELECT key ->> 'id' FROM switchyard.breach"), "50");
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 80"), "80");
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
