// Rows that NEW's foreign keys refuse, where they hold: the stream goes on without them.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

// OLD has no foreign keys: rows may refer to others that are gone.
constexpr char kSchema[] =
    "CREATE TABLE parent (id int PRIMARY KEY, name text);"
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int, v text);"
    "CREATE INDEX ON child (parent_id)";
constexpr char kRows[] =
    "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 6) i;"
    "INSERT INTO child SELECT i, 1 + i % 6, 'c' FROM generate_series(1, 24) i";
const std::vector<MappedTable> kFamily = {{"parent"}, {"child"}};
constexpr char kCount[] = "SELECT count(*) FROM switchyard.quarantine";
constexpr char kEntries[] =
    "SELECT target, operation, scope ->> 'id' FROM switchyard.quarantine ORDER BY 1, 3";

class FkRefusalsTest : public ChangesFixture {
 protected:
  void SetUp() override {
    ChangesFixture::SetUp();
    options_.target.replica_role = false;
  }

  void StartFamily(const std::string& action, const std::string& more = "") {
    StartWith(kSchema, kFamily, kRows,
              "ALTER TABLE child ADD CONSTRAINT child_of FOREIGN KEY (parent_id) REFERENCES "
              "parent " +
                  action + ";" + more);
  }
  bool keyed() const { return std::get<Form>(GetParam()) == Form::kKeyed; }
  // How quarantine names what was to be done with a row.
  std::string Entry(const std::string& table, const std::string& operation, int id) const {
    return absl::StrCat("public.", table, "|", keyed() ? "recompute" : operation, "|", id);
  }
  std::string Answer() {
    return New("SELECT result FROM switchyard.request ORDER BY id DESC LIMIT 1");
  }
};

const char* const kActions[] = {
    "",           "ON DELETE CASCADE ON UPDATE CASCADE", "ON DELETE RESTRICT", "ON DELETE SET NULL",
    "DEFERRABLE", "ON DELETE SET NULL DEFERRABLE"};

TEST_P(FkRefusalsTest, AParentThatGoesWhileAChildStaysWaits) {
  for (const char* action : kActions) {
    SCOPED_TRACE(action);
    StartFamily(action);
    if (HasFatalFailure()) return;
    Together({"DELETE FROM parent WHERE id = 1", "DELETE FROM child WHERE parent_id = 2",
              "DELETE FROM parent WHERE id = 2", "UPDATE child SET v = 'on' WHERE id = 2",
              "INSERT INTO child VALUES (50, 3, 'new')"});
    if (HasFatalFailure()) return;
    EXPECT_EQ(New(kEntries), Entry("parent", "delete", 1));
    EXPECT_THAT(New("SELECT error FROM switchyard.quarantine"), HasSubstr("child_of"));
    EXPECT_EQ(New("SELECT id FROM parent ORDER BY 1 LIMIT 2"), "1\n3");
    EXPECT_EQ(New("SELECT * FROM child ORDER BY id"), Old("SELECT * FROM child ORDER BY id"));
    ASSERT_OK(RetryQuarantine());  // the children are still there
    EXPECT_EQ(Answer(), "0 applied, 1 left");
    EXPECT_EQ(New(kEntries), Entry("parent", "delete", 1));
    ASSERT_OK(OnOld("UPDATE child SET parent_id = 4 WHERE parent_id = 1"));
    ASSERT_OK(CatchUp());
    ASSERT_OK(AwaitNew(kCount, "0"));
    ExpectEqual("nothing refers to it any more");
    TearDown();
    SetUp();
  }
}

TEST_P(FkRefusalsTest, AChildThatComesWithoutItsParentWaits) {
  for (const char* action : kActions) {
    SCOPED_TRACE(action);
    StartFamily(action, "ALTER TABLE parent ADD CHECK (name <> 'refused')");
    if (HasFatalFailure()) return;
    Together({"INSERT INTO child VALUES (50, 9, 'alone'), (51, NULL, 'fine')",
              "INSERT INTO parent VALUES (7, 'refused')", "INSERT INTO child VALUES (52, 7, 'too')",
              "UPDATE child SET parent_id = 9 WHERE id = 1"});
    if (HasFatalFailure()) return;
    EXPECT_EQ(New(kEntries),
              absl::StrJoin({Entry("child", "update", 1), Entry("child", "insert", 50),
                             Entry("child", "insert", 52), Entry("parent", "insert", 7)},
                            "\n"));
    EXPECT_EQ(New("SELECT count(*) FROM child WHERE id IN (50, 51, 52)"), "1");
    EXPECT_EQ(New("SELECT parent_id FROM child WHERE id = 1"), "2");
    Together(
        {"INSERT INTO parent VALUES (9, 'here')", "UPDATE parent SET name = 'fine' WHERE id = 7"});
    ASSERT_OK(AwaitNew(kCount, "0"));
    ExpectEqual("the parents came");
    TearDown();
    SetUp();
  }
}

// However many they are, and though the rest of them stays.
TEST_P(FkRefusalsTest, AllThatWaitForAParentComeByThemselvesOnceItIsThere) {
  StartFamily("", "ALTER TABLE parent ADD CONSTRAINT named CHECK (name <> 'refused')");
  Together({"INSERT INTO parent VALUES (7, 'refused')",
            "INSERT INTO child SELECT i, CASE WHEN i % 4 = 0 THEN 9 ELSE 7 END, 'c' "
            "FROM generate_series(100, 419) i"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(New(kCount), "321");
  ASSERT_OK(OnNew("ALTER TABLE parent DROP CONSTRAINT named"));
  // A person has the parent tried again, and nothing else.
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument) SELECT stream, "
            "'quarantine_retry', id FROM switchyard.quarantine WHERE target = 'public.parent'"));
  ASSERT_OK(AwaitNew(kCount, "80"));
  EXPECT_EQ(New("SELECT count(*) FROM child WHERE parent_id = 7"), "240");
  ASSERT_OK(OnOld("INSERT INTO parent VALUES (9, 'late')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kCount, "0"));
  ExpectEqual("the parents came");
}

// The row of the old key can't go, and so the new one does not come.
TEST_P(FkRefusalsTest, AParentsKeyChangesWhileAChildStays) {
  for (const char* action : {"", "ON DELETE CASCADE", "DEFERRABLE"}) {
    SCOPED_TRACE(action);
    StartFamily(action);
    Together({"UPDATE parent SET id = 10 WHERE id = 1",
              "UPDATE child SET parent_id = 10 WHERE id = 6",
              "UPDATE child SET parent_id = 2 WHERE id = 12"});
    if (HasFatalFailure()) return;
    EXPECT_EQ(New("SELECT id FROM parent WHERE id IN (1, 10)"), keyed() ? "1\n10" : "1");
    EXPECT_EQ(New("SELECT id, parent_id FROM child WHERE id IN (6, 12, 18) ORDER BY id"),
              absl::StrCat("6|", keyed() ? 10 : 1, "\n12|2\n18|1"));
    EXPECT_EQ(New(kEntries), keyed() ? "public.parent|recompute|1"
                                     : "public.child|update|6\npublic.parent|update|10");
    Together({"DELETE FROM child WHERE id IN (18, 24)"});
    ASSERT_OK(AwaitNew(kCount, "0"));  // first the parent, then what is to refer to it
    ExpectEqual("nothing refers to it any more");
    TearDown();
    SetUp();
  }
}

TEST_P(FkRefusalsTest, ALargeTransactionGoesOnWithoutTheRowsThatAreRefused) {
  for (const char* action : {"", "ON DELETE CASCADE", "DEFERRABLE"}) {
    SCOPED_TRACE(action);
    options_.batch_rows_max = 5;
    StartFamily(action);
    ASSERT_OK(OnOld(
        "BEGIN; DELETE FROM parent WHERE id <= 2; INSERT INTO child SELECT i, 99, 'x' FROM "
        "generate_series(30, 32) i; INSERT INTO child SELECT i, 3, 'x' FROM generate_series(40, "
        "60) "
        "i; DELETE FROM child WHERE parent_id = 2; UPDATE child SET v = 'seen' WHERE parent_id = 3;"
        "COMMIT"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New(kEntries),
              absl::StrJoin({Entry("child", "insert", 30), Entry("child", "insert", 31),
                             Entry("child", "insert", 32), Entry("parent", "delete", 1)},
                            "\n"));
    EXPECT_EQ(New("SELECT id FROM parent ORDER BY id LIMIT 2"), "1\n3");
    constexpr char kOthers[] = "SELECT * FROM child WHERE parent_id < 99 ORDER BY id";
    EXPECT_EQ(New(kOthers), Old(kOthers));
    ASSERT_OK(OnOld("BEGIN; DELETE FROM child WHERE parent_id IN (1, 99); COMMIT"));
    ASSERT_OK(CatchUp());
    ASSERT_OK(AwaitNew(kCount, "0"));
    ExpectEqual("what was refused is gone");
    TearDown();
    SetUp();
  }
}

// Of a tree that goes, what stands above a row that stays can't.
TEST_P(FkRefusalsTest, WhatStandsAboveARowThatStaysWaitsToo) {
  for (const char* action : {"", "ON DELETE CASCADE", "DEFERRABLE"}) {
    SCOPED_TRACE(action);
    StartWith(
        "CREATE TABLE tree (id int PRIMARY KEY, parent_id int, label text);"
        "CREATE INDEX ON tree (parent_id)",
        {{"tree"}},
        "INSERT INTO tree SELECT i, nullif(i / 2, 0), 'l' || i FROM generate_series(1, 15) i",
        absl::StrCat("ALTER TABLE tree ADD FOREIGN KEY (parent_id) REFERENCES tree ", action));
    if (HasFatalFailure()) return;
    Together(
        {"DELETE FROM tree WHERE id NOT IN (9, 3)", "UPDATE tree SET label = 'on' WHERE id = 9"});
    EXPECT_EQ(New("SELECT id, label FROM tree ORDER BY id"), "1|l1\n2|l2\n3|l3\n4|l4\n9|on");
    EXPECT_EQ(New(kEntries), absl::StrJoin({Entry("tree", "delete", 1), Entry("tree", "delete", 2),
                                            Entry("tree", "delete", 4)},
                                           "\n"));
    Together({"UPDATE tree SET parent_id = NULL"});
    ASSERT_OK(AwaitNew(kCount, "0"));
    ExpectEqual("nothing refers to them any more");
    TearDown();
    SetUp();
  }
}

// A key to other columns than those that tell rows apart: a parent may leave it without going.
TEST_P(FkRefusalsTest, AParentThatIsCalledOtherwiseWhileAChildStaysWaits) {
  StartWith(
      "CREATE TABLE parent (id int PRIMARY KEY, ref text UNIQUE, v text);"
      "CREATE TABLE child (id int PRIMARY KEY, ref text)",
      kFamily,
      "INSERT INTO parent SELECT i, 'r' || i, 'p' FROM generate_series(1, 6) i;"
      "INSERT INTO child SELECT i, 'r' || 1 + i % 6 FROM generate_series(1, 12) i",
      "ALTER TABLE child ADD FOREIGN KEY (ref) REFERENCES parent (ref) DEFERRABLE");
  Together({"UPDATE parent SET ref = 'other' WHERE id = 1", "DELETE FROM parent WHERE id = 2",
            "UPDATE parent SET v = 'on' WHERE id = 3", "INSERT INTO child VALUES (50, 'nobody')"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(New(kEntries),
            absl::StrJoin({Entry("child", "insert", 50), Entry("parent", "update", 1),
                           Entry("parent", "delete", 2)},
                          "\n"));
  EXPECT_EQ(New("SELECT id, ref, v FROM parent WHERE id <= 3 ORDER BY id"),
            "1|r1|p\n2|r2|p\n3|r3|on");
  Together({"UPDATE child SET ref = 'other' WHERE ref = 'r1'", "DELETE FROM child WHERE ref = 'r2'",
            "UPDATE child SET ref = NULL WHERE id = 50"});
  ASSERT_OK(AwaitNew(kCount, "0"));
  ExpectEqual("nothing refers to what they were");
}

// What check warns of: RESTRICT does not wait for a row to be back.
TEST_P(FkRefusalsTest, ValuesThatAreTradedByRestrictedRowsWait) {
  StartFamily("ON DELETE RESTRICT", "ALTER TABLE parent ADD UNIQUE (name)");
  ASSERT_OK(
      OnOld("BEGIN; UPDATE parent SET name = 'p1' WHERE id = 2; UPDATE parent SET name = 'p2' "
            "WHERE id = 1; INSERT INTO parent VALUES (7, 'p7'); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT * FROM parent WHERE id IN (1, 2, 7) ORDER BY id"), "1|p1\n2|p2\n7|p7");
  EXPECT_EQ(New(kEntries),
            absl::StrCat(Entry("parent", "update", 1), "\n", Entry("parent", "update", 2)));
}

// A table that no mapping fills, which the role need not be able to read.
TEST_P(FkRefusalsTest, ARowOfNewsOwnKeepsItsParent) {
  for (const char* action : {"", "ON DELETE RESTRICT", "DEFERRABLE"}) {
    SCOPED_TRACE(action);
    StartFamily("ON DELETE CASCADE",
                absl::StrCat("CREATE TABLE token (parent_id int REFERENCES parent ", action,
                             "); INSERT INTO token VALUES (NULL)"));
    if (HasFatalFailure()) return;
    ASSERT_OK(OnNew("INSERT INTO token VALUES (1)"));
    Together(
        {"DELETE FROM child WHERE parent_id IN (1, 2)", "DELETE FROM parent WHERE id IN (1, 2)"});
    EXPECT_EQ(New(kEntries), Entry("parent", "delete", 1));
    EXPECT_EQ(New("SELECT id FROM parent ORDER BY id LIMIT 2"), "1\n3");
    ASSERT_OK(OnNew("DELETE FROM token"));
    ASSERT_OK(RetryQuarantine());
    ExpectEqual("nothing refers to it any more");
    TearDown();
    SetUp();
  }
}

// By way of a row that goes an action would reach one that stays.
TEST_P(FkRefusalsTest, ActionsInACircleReachNothingThatStays) {
  StartWith(
      "CREATE TABLE a (id int PRIMARY KEY, b_id int, v text);"
      "CREATE TABLE b (id int PRIMARY KEY, a_id int, v text)",
      {{"a"}, {"b"}},
      "INSERT INTO a SELECT i, i, 'a' FROM generate_series(1, 6) i;"
      "INSERT INTO b SELECT i, i, 'b' FROM generate_series(1, 6) i; UPDATE a SET b_id = 1 WHERE id "
      "= 2",
      "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b ON DELETE SET NULL DEFERRABLE;"
      "ALTER TABLE b ADD FOREIGN KEY (a_id) REFERENCES a ON DELETE CASCADE DEFERRABLE");
  Together({"WITH gone AS (DELETE FROM a WHERE id IN (1, 3)) DELETE FROM b WHERE id IN (1, 3)"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(New("SELECT id, b_id FROM a WHERE id <= 3 ORDER BY id"), "1|1\n2|1");
  EXPECT_EQ(New(kEntries), absl::StrCat(Entry("a", "delete", 1), "\n", Entry("b", "delete", 1)));
  ASSERT_OK(OnOld("UPDATE a SET b_id = NULL WHERE id = 2"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kCount, "0"));
  ExpectEqual("nothing refers to them any more");
}

TEST_P(FkRefusalsTest, ATruncatedParentOfRowsThatStayStopsTheStream) {
  StartFamily("ON DELETE CASCADE");
  if (keyed()) {
    Together({"TRUNCATE parent"});
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "6");
  } else {
    ASSERT_OK(OnOld("TRUNCATE parent"));
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
                HasSubstr("a row of public.parent goes, by the mapping, but rows of public.child "
                          "that refer to it by foreign key child_of stay"));
  }
  EXPECT_EQ(New("SELECT count(*) FROM child"), "24");
  EXPECT_EQ(New("SELECT count(*) FROM parent"), "6");
}

// While its changes wait, rows that refer to it can't all go in.
TEST_P(FkRefusalsTest, RowsThatReferToATableInDoubtWaitUntilItIsCopiedAgain) {
  StartWith(
      "CREATE TABLE parent (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE parent_low PARTITION OF parent FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE parent_high PARTITION OF parent FOR VALUES FROM (100) TO (200);"
      "CREATE TABLE child (id int PRIMARY KEY, parent_id int)",
      {{"parent"}, {"child"}},
      "INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 199) i;"
      "INSERT INTO child SELECT i, i FROM generate_series(1, 199) i",
      "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE;"
      "CREATE INDEX ON child (parent_id)");
  ASSERT_OK(OnOld(
      "BEGIN; DELETE FROM child WHERE parent_id < 100; TRUNCATE parent_low; COMMIT;"
      "INSERT INTO parent VALUES (0, 'new'), (7, 'again'); INSERT INTO child VALUES (900, 0)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
            "SELECT name, 'recopy', 'public.parent', epoch, lsn, log_offset FROM "
            "switchyard.stream; UPDATE switchyard.stream SET state = 'catching_up'"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitNew("SELECT count(*) FROM switchyard.quarantine", "1"));
  EXPECT_EQ(New(kEntries), Entry("child", "insert", 900));
  ASSERT_OK(capture_->RecopyLeaves({"parent_low", "parent_high"}));
  ASSERT_OK(OnOld("INSERT INTO child VALUES (901, 7)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT count(*) FROM switchyard.quarantine", "0"));
  ExpectEqual("the table was copied again");
}

class FkCopyTest : public testing::ReplayFixture {};

TEST_F(FkCopyTest, RowsOfACopyThatReferToNothingArePutInQuarantine) {
  for (const char* action : {"", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"}) {
    SCOPED_TRACE(action);
    options_.target.replica_role = false;
    ASSERT_OK(
        Start(kSchema,
              absl::StrCat(kSchema,
                           ";ALTER TABLE child ADD CONSTRAINT child_of FOREIGN KEY (parent_id) "
                           "REFERENCES parent ",
                           action),
              "  - {table: public.parent, copy: parent}\n"
              "  - {table: public.child, copy: child}\n",
              "INSERT INTO child VALUES (1, NULL, 'fine'), (2, 7, 'of nobody')"));
    ASSERT_OK(AwaitState("streaming"));
    EXPECT_EQ(New(kEntries), "public.child|insert|2");
    EXPECT_EQ(New("SELECT id FROM child"), "1");
    ASSERT_OK(OnOld("INSERT INTO parent (id) VALUES (7)"));
    ASSERT_OK(CatchUp());
    ASSERT_OK(RetryQuarantine());
    EXPECT_EQ(New("SELECT count(*) FROM child"), "2");
    TearDown();
    SetUp();
  }
}

INSTANTIATE_TEST_SUITE_P(Each, FkRefusalsTest, EachWay(), NameOf);

}  // namespace
}  // namespace switchyard::replayer
