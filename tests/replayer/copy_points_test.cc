// A copy that was cut: its tables are of different points, and NEW is derived from them at one.
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kTwo[] =
    "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)";
constexpr char kCopyOfTwo[] =
    "  - {table: public.a, copy: a}\n"
    "  - {table: public.b, copy: b}\n";

class CopyPointsTest : public testing::ReplayFixture {
 protected:
  // As capture does while OLD is idle.
  absl::Status Heartbeat() {
    RETURN_IF_ERROR(OnOld("SELECT pg_logical_emit_message(false, 'switchyard.heartbeat', 'x')"));
    return capture_->Pump();
  }
  // What OLD did before table b was copied again is on the log, and nothing follows.
  absl::Status CutBefore(const std::string& table) {
    RETURN_IF_ERROR(capture_->Recopy(table));
    return Heartbeat();
  }
};

TEST_F(CopyPointsTest, IsConsistentOnceTheLogIsReadToTheLastPointThoughOldIsIdle) {
  ASSERT_OK(Prepare(kTwo, kTwo, kCopyOfTwo, "INSERT INTO a VALUES (1, 'a1')"));
  ASSERT_OK(OnOld("UPDATE a SET v = 'new'; INSERT INTO b VALUES (1, 'b1')"));
  ASSERT_OK(capture_->Recopy("b"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("catching_up"));
  ASSERT_OK(Heartbeat());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT v FROM a"), "new");
  EXPECT_EQ(New("SELECT v FROM b"), "b1");
  EXPECT_EQ(New("SELECT copy_lsn = (SELECT max(lsn) FROM switchyard.copy) FROM switchyard.stream"),
            "t");
}

TEST_F(CopyPointsTest, APartitionDroppedBeforeTheOthersWereCopiedLeavesNoRows) {
  constexpr char kOther[] = "CREATE TABLE other (id int PRIMARY KEY, v text);";
  ASSERT_OK(Prepare(absl::StrCat(kOther,
                                 "CREATE TABLE p (id int, r text, v text, PRIMARY KEY (id, r)) "
                                 "PARTITION BY LIST (r);"
                                 "CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a');"
                                 "CREATE TABLE p_b PARTITION OF p FOR VALUES IN ('b')"),
                    absl::StrCat(kOther,
                                 "CREATE TABLE p (id int, r text, v text, PRIMARY KEY (id, "
                                 "r))"),
                    "  - {table: public.p, copy: p}\n"
                    "  - {table: public.other, copy: other}\n",
                    "INSERT INTO p VALUES (1, 'a', 'x'), (2, 'b', 'x'); "
                    "INSERT INTO other VALUES (1, 'x')"));
  // Of the partition that goes, and of one that the plan never knew.
  ASSERT_OK(
      OnOld("INSERT INTO p VALUES (99, 'a', 'ghost'); UPDATE other SET v = 'changed';"
            "CREATE TABLE p_c PARTITION OF p FOR VALUES IN ('c');"
            "INSERT INTO p VALUES (98, 'c', 'ghost')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(OnOld("DROP TABLE p_a; DROP TABLE p_c"));
  ASSERT_OK(capture_->RecopyLeaves({"p_b"}));
  ASSERT_OK(OnOld("INSERT INTO p VALUES (3, 'b', 'later')"));
  ASSERT_OK(Heartbeat());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id, r, v FROM p ORDER BY id"), "2|b|x\n3|b|later");
  EXPECT_EQ(New("SELECT v FROM other"), "changed");
}

constexpr char kUnion[] =
    "  - table: public.c\n"
    "    from: {a: id, b: id}\n"
    "    select: SELECT id, v FROM a UNION ALL SELECT id, v FROM b\n";

TEST_F(CopyPointsTest, WhatIsDerivedIsDerivedAtOnePoint) {
  ASSERT_OK(Prepare(kTwo, "CREATE TABLE c (id int PRIMARY KEY, v text)", kUnion,
                    "INSERT INTO a VALUES (1, 'one'), (2, 'two')"));
  ASSERT_OK(OnOld("BEGIN; DELETE FROM a WHERE id = 1; INSERT INTO b VALUES (1, 'one'); COMMIT"));
  ASSERT_OK(CutBefore("b"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT id, v FROM c ORDER BY id"), "1|one\n2|two");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  ASSERT_OK(OnOld("UPDATE b SET v = 'moved'"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT v FROM c WHERE id = 1"), "moved");
}

constexpr char kParents[] =
    "CREATE TABLE customers (id int PRIMARY KEY, name text);"
    "CREATE TABLE bookings (id int PRIMARY KEY, customer int)";
constexpr char kCopyOfParents[] =
    "  - {table: public.customers, copy: customers}\n"
    "  - {table: public.bookings, copy: bookings}\n";
constexpr char kForeignKey[] =
    "ALTER TABLE bookings ADD FOREIGN KEY (customer) REFERENCES customers";

TEST_F(CopyPointsTest, StepsAfterTheCopyFindTheTablesAtOnePoint) {
  ASSERT_OK(Prepare(kParents, kParents, kCopyOfParents, "INSERT INTO customers VALUES (1, 'a')"));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO customers VALUES (2, 'b'); "
            "INSERT INTO bookings VALUES (11, 2); COMMIT"));
  ASSERT_OK(CutBefore("bookings"));
  options_.after_copy = {{"fk", kForeignKey}};
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT convalidated FROM pg_constraint WHERE contype = 'f' AND "
                "conrelid = 'bookings'::regclass"),
            "t");
}

// Three points, and keys that hold: what refers to others is rolled forward where it is held back.
TEST_F(CopyPointsTest, WhereForeignKeysHoldWhatIsHeldBackIsRolledForwardToo) {
  options_.target.replica_role = false;
  const std::string tables =
      absl::StrCat(kParents, "; CREATE TABLE notes (id int PRIMARY KEY, booking int, body text)");
  ASSERT_OK(Prepare(tables,
                    absl::StrCat(tables, ";", kForeignKey,
                                 "; ALTER TABLE notes ADD FOREIGN KEY (booking) REFERENCES "
                                 "bookings"),
                    absl::StrCat(kCopyOfParents, "  - {table: public.notes, copy: notes}\n"),
                    "INSERT INTO customers VALUES (1, 'a'), (2, 'b');"
                    "INSERT INTO bookings VALUES (10, 1);"
                    "INSERT INTO notes VALUES (100, 10, 'x')"));
  ASSERT_OK(OnOld("INSERT INTO customers VALUES (3, 'c'); INSERT INTO bookings VALUES (11, 3)"));
  ASSERT_OK(capture_->Recopy("bookings"));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO bookings VALUES (12, 2); INSERT INTO notes VALUES (101, 12, "
            "'y'); DELETE FROM notes WHERE id = 100; DELETE FROM bookings WHERE id = 10; "
            "DELETE FROM customers WHERE id = 1; UPDATE bookings SET id = 13 WHERE id = 11; "
            "COMMIT"));
  ASSERT_OK(CutBefore("notes"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT id FROM customers ORDER BY id"), "2\n3");
  EXPECT_EQ(New("SELECT id, customer FROM bookings ORDER BY id"), "12|2\n13|3");
  EXPECT_EQ(New("SELECT id, booking, body FROM notes"), "101|12|y");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM pg_class WHERE relname LIKE 'sy\\_held%'"), "0");
}

// Two tables of OLD fill one of NEW, whose e-mail passed from one to the other in between.
TEST_F(CopyPointsTest, UniqueValuesThatPassedOnBetweenThePointsAreInPlaceAtTheLast) {
  ASSERT_OK(
      Prepare("CREATE TABLE clients (id int PRIMARY KEY, email text);"
              "CREATE TABLE staff (id int PRIMARY KEY, email text)",
              "CREATE TABLE people (kind text, id int, email text UNIQUE, "
              "PRIMARY KEY (kind, id))",
              "  - {table: public.people, copy: clients, set: {kind: \"'c'\"}, "
              "owns: \"kind = 'c'\"}\n"
              "  - {table: public.people, copy: staff, set: {kind: \"'s'\"}, "
              "owns: \"kind = 's'\"}\n",
              "INSERT INTO clients SELECT i, 'e' || i FROM generate_series(1, 20) i"));
  options_.target.quarantine_max = 3;
  ASSERT_OK(
      OnOld("BEGIN; DELETE FROM clients WHERE id <= 10; "
            "INSERT INTO staff SELECT i, 'e' || i FROM generate_series(1, 10) i; COMMIT"));
  ASSERT_OK(CutBefore("staff"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT kind, count(*), count(DISTINCT email) FROM people GROUP BY 1 ORDER BY 1"),
            "c|10|10\ns|10|10");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

// A step that OLD's rows do not allow: what was mended is applied before it is tried again.
TEST_F(CopyPointsTest, ARowMendedInOldLetsTheStepPassAtTheNextStart) {
  ASSERT_OK(Prepare(kParents, kParents, kCopyOfParents, "INSERT INTO bookings VALUES (11, 2)"));
  options_.after_copy = {{"fk", kForeignKey}};
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              ::testing::HasSubstr("mend these rows in OLD"));
  EXPECT_FALSE(StopReplayer().ok());
  ASSERT_OK(OnOld("INSERT INTO customers VALUES (2, 'b')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(New("SELECT name FROM customers"), "b");
}

}  // namespace
}  // namespace switchyard::replayer
