// NEW written by a session that can't silence its foreign keys: they hold, and their actions and
// NEW's triggers fire.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

class FkOrderTest : public ChangesFixture {
 protected:
  void SetUp() override {
    ChangesFixture::SetUp();
    options_.target.replica_role = false;
  }
};

const std::vector<MappedTable> kFamily = {{"parent"}, {"child"}, {"detail", "parent_id, n"}};
constexpr char kRows[] =
    "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 6) i;"
    "INSERT INTO child SELECT i, 1 + i % 6, 'c' FROM generate_series(1, 24) i;"
    "INSERT INTO detail SELECT p, n, 'd' FROM generate_series(1, 6) p, generate_series(1, 3) n";

std::string Family(const std::string& action, const std::string& unique = "") {
  return absl::StrCat("CREATE TABLE parent (id int PRIMARY KEY, name text ", unique,
                      ");"
                      "CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES "
                      "parent ",
                      action,
                      ", v text);"
                      "CREATE TABLE detail (parent_id int REFERENCES parent ",
                      action, ", n int, v text, PRIMARY KEY (parent_id, n))");
}

constexpr char kActs[] = "ON UPDATE CASCADE ON DELETE CASCADE";

TEST_P(FkOrderTest, ParentAndChildComeAndGoTogether) {
  StartWith(Family(kActs), kFamily, kRows);
  Change({"INSERT INTO parent VALUES (50, 'new')", "INSERT INTO child VALUES (50, 50, 'new')",
          "INSERT INTO detail VALUES (50, 1, 'new')"});
  Change({"DELETE FROM child WHERE parent_id = 50", "DELETE FROM detail WHERE parent_id = 50",
          "DELETE FROM parent WHERE id = 50"});
  Change({"INSERT INTO parent VALUES (51, 'short')", "INSERT INTO child VALUES (51, 51, 'short')",
          "DELETE FROM parent WHERE id = 51"});
  Change({"DELETE FROM parent WHERE id <= 2"});
  Change({"DELETE FROM parent WHERE id = 3", "INSERT INTO parent VALUES (3, 'p3')",
          "INSERT INTO child VALUES (300, 3, 'back')", "UPDATE child SET parent_id = 3"});
  Change({"TRUNCATE parent CASCADE", "INSERT INTO parent VALUES (1, 'p1')",
          "INSERT INTO detail VALUES (1, 1, 'after')"});
}

TEST_P(FkOrderTest, AChildMovesBeforeItsOldParentGoes) {
  StartWith(Family(kActs), kFamily, kRows);
  Change({"UPDATE child SET parent_id = 2 WHERE parent_id = 1", "DELETE FROM parent WHERE id = 1"});
  Change({"INSERT INTO parent VALUES (60, 'heir')",
          "UPDATE child SET parent_id = 60, v = 'moved' WHERE parent_id IN (2, 3)",
          "UPDATE detail SET parent_id = 60, n = n + 10 WHERE parent_id = 3",
          "DELETE FROM parent WHERE id IN (2, 3)"});
}

TEST_P(FkOrderTest, AParentsKeyChangesAndItsChildrenFollow) {
  StartWith(Family(kActs), kFamily, kRows);
  Change({"UPDATE parent SET id = 100 WHERE id = 1"});
  Change({"UPDATE parent SET id = id + 1000", "UPDATE parent SET id = id - 999 WHERE id < 1050",
          "UPDATE child SET v = 'moved' WHERE parent_id > 3"});
  // Two parents trade their keys, and each other's children with them.
  Change({"UPDATE parent SET id = -1 WHERE id = 3", "UPDATE parent SET id = 3 WHERE id = 4",
          "UPDATE parent SET id = 4 WHERE id = -1"});
  // One without children, whose large value OLD does not send again.
  Change(
      {absl::StrCat("INSERT INTO parent SELECT 700, string_agg(md5(i::text), '') FROM "
                    "generate_series(1, 500) i")});
  Change({"UPDATE parent SET id = 701 WHERE id = 700", "DELETE FROM child WHERE id = 1"});
  // One takes the place another left.
  Change({"UPDATE parent SET id = 200 WHERE id = 3", "INSERT INTO parent VALUES (3, 'again')",
          "INSERT INTO child VALUES (500, 3, 'of the new one')"});
}

TEST_P(FkOrderTest, KeysThatHoldAtOnceAndDoNothing) {
  StartWith(Family(kActs), kFamily, kRows,
            "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, "
            "  ADD FOREIGN KEY (parent_id) REFERENCES parent;"
            "ALTER TABLE detail DROP CONSTRAINT detail_parent_id_fkey, "
            "  ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE RESTRICT");
  Change({"UPDATE parent SET id = 100 WHERE id = 1",
          "UPDATE child SET parent_id = 100 WHERE parent_id = 2",
          "DELETE FROM parent WHERE id = 2"});
  Change({"DELETE FROM parent WHERE id = 3", "INSERT INTO parent VALUES (3, 'p3')",
          "INSERT INTO child VALUES (300, 3, 'back')"});
  Change({"DELETE FROM parent"});
}

TEST_P(FkOrderTest, AUniqueValuePassesOnWhileChildrenStay) {
  StartWith(Family(kActs, "UNIQUE"), kFamily, kRows,
            "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, "
            "  ADD FOREIGN KEY (parent_id) REFERENCES parent;"
            "ALTER TABLE detail DROP CONSTRAINT detail_parent_id_fkey, "
            "  ADD FOREIGN KEY (parent_id) REFERENCES parent");
  Change({"UPDATE parent SET name = 'swapping' WHERE id = 1",
          "UPDATE parent SET name = 'p1' WHERE id = 2",
          "UPDATE parent SET name = 'p2' WHERE id = 1"});
  Change({"UPDATE parent SET name = 'free' WHERE id = 1", "INSERT INTO parent VALUES (10, 'p2')"});
  // A whole family goes, and another takes its name.
  Change({"DELETE FROM parent WHERE id = 3", "INSERT INTO parent VALUES (30, 'p3')",
          "INSERT INTO child VALUES (30, 30, 'new')"});
}

// Keys that wait for the commit let any value pass anywhere.
TEST_P(FkOrderTest, KeysThatCanWaitLetEverythingPass) {
  StartWith(Family(kActs, "UNIQUE"), kFamily, kRows,
            "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, "
            "  ADD FOREIGN KEY (parent_id) REFERENCES parent DEFERRABLE;"
            "ALTER TABLE detail DROP CONSTRAINT detail_parent_id_fkey, ADD FOREIGN KEY (parent_id) "
            "  REFERENCES parent DEFERRABLE INITIALLY DEFERRED");
  Change({"UPDATE parent SET id = 100 WHERE id = 1"});
  Change({"INSERT INTO parent VALUES (20, 'for now')",
          "UPDATE child SET parent_id = 20 WHERE parent_id = 2", "DELETE FROM parent WHERE id = 2",
          "UPDATE parent SET name = 'p2' WHERE id = 20"});
  Change({"UPDATE parent SET id = -1 WHERE id = 3", "UPDATE parent SET id = 3 WHERE id = 4",
          "UPDATE parent SET id = 4 WHERE id = -1"});
  Change({"UPDATE parent SET name = 'x' WHERE id = 5", "UPDATE parent SET name = 'p5' WHERE id = 6",
          "UPDATE parent SET name = 'p6' WHERE id = 5"});
}

constexpr char kPlainKeys[] =
    "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, "
    "  ADD CONSTRAINT plain FOREIGN KEY (parent_id) REFERENCES parent;"
    "ALTER TABLE detail DROP CONSTRAINT detail_parent_id_fkey, "
    "  ADD FOREIGN KEY (parent_id) REFERENCES parent";

// A heir takes a child, and then the name: in that order it works at every moment, as one it does
// not.
TEST_P(FkOrderTest, TransactionsThatCanNotBeMergedGoOneByOne) {
  StartWith(Family(kActs, "UNIQUE"), kFamily, kRows, kPlainKeys);
  const std::vector<std::string> inherits = {
      "UPDATE child SET parent_id = 2 WHERE parent_id = 1", "DELETE FROM parent WHERE id = 1",
      "INSERT INTO parent VALUES (10, 'p1')", "UPDATE child SET v = 'later' WHERE parent_id = 2"};
  if (std::get<Arrival>(GetParam()) == Arrival::kOneBatch) {
    Change(inherits);
    return;
  }
  // Inside one transaction the name waits for a key that can, and is tried again at its end.
  ASSERT_OK(OnOld(absl::StrCat("BEGIN;", absl::StrJoin(inherits, ";"), ";COMMIT")));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM child WHERE parent_id = 2 AND v = 'later'"), "8");
  ExpectEqual("the name was tried again");
}

// A row that is still to go holds its unique values until the rows that refer to it have moved;
// and that a batch is looked through row by row changes nothing about it.
TEST_P(FkOrderTest, AValueOfARowStillToGoIsNoReasonToRefuseAnother) {
  StartWith(Family(kActs, "UNIQUE"), kFamily, kRows,
            "ALTER TABLE parent DROP CONSTRAINT parent_name_key, ADD UNIQUE (name) DEFERRABLE;"
            "ALTER TABLE child ADD CHECK (v <> 'refused')");
  ASSERT_OK(
      OnOld("BEGIN; UPDATE parent SET id = 100 WHERE id = 1;"
            "INSERT INTO child VALUES (99, 2, 'refused'); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT target, sqlstate, scope->>'id' FROM switchyard.quarantine"),
            "public.child|23514|99");
  EXPECT_EQ(New("SELECT name FROM parent WHERE id = 100"), "p1");
  Change({"UPDATE child SET v = 'fine' WHERE id = 99"});
}

TEST_P(FkOrderTest, AChildWithoutItsParentWaitsForIt) {
  StartWith(Family(""), kFamily, kRows, "ALTER TABLE parent ADD CHECK (name <> 'refused')");
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO parent VALUES (7, 'refused'); INSERT INTO child VALUES (70, "
            "7, 'c'), (80, 1, 'stays'); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT target, sqlstate, scope->>'id' FROM switchyard.quarantine ORDER BY 1"),
            "public.child|23503|70\npublic.parent|23514|7");
  EXPECT_EQ(New("SELECT v FROM child WHERE id = 80"), "stays");
  ASSERT_OK(OnOld("UPDATE parent SET name = 'fine' WHERE id = 7"));
  ASSERT_OK(OnOld("UPDATE child SET v = 'there' WHERE id = 70"));
  ASSERT_OK(CatchUp());
  ExpectEqual("both were mended");
}

TEST_P(FkOrderTest, RowsReferToOthersOfTheirTable) {
  StartWith(
      "CREATE TABLE tree (id int PRIMARY KEY, parent_id int REFERENCES tree ON UPDATE CASCADE "
      "ON DELETE CASCADE, label text)",
      {{"tree"}},
      "INSERT INTO tree SELECT i, nullif(i / 2, 0), 'l' || i FROM generate_series(1, 31) i");
  Change({"INSERT INTO tree VALUES (40, NULL, 'a')", "INSERT INTO tree VALUES (41, 40, 'b')",
          "UPDATE tree SET parent_id = 41 WHERE id = 2"});
  Change({"UPDATE tree SET id = 100 WHERE id = 40", "UPDATE tree SET id = id + 200 WHERE id = 3"});
  Change({"INSERT INTO tree VALUES (50, 50, 'itself')", "UPDATE tree SET id = 51 WHERE id = 50"});
  Change({"UPDATE tree SET parent_id = 203 WHERE id = 1",
          "DELETE FROM tree WHERE id = 100"});  // which takes the half below it along
  Change({"DELETE FROM tree WHERE id = 1"});    // and this a circle
}

TEST_P(FkOrderTest, RowsOfOneTablePassTheirUniqueValues) {
  StartWith(
      "CREATE TABLE tree (id int PRIMARY KEY, parent_id int REFERENCES tree ON UPDATE CASCADE "
      "ON DELETE CASCADE, label text UNIQUE)",
      {{"tree"}},
      "INSERT INTO tree SELECT i, nullif(i / 2, 0), 'l' || i FROM generate_series(1, 31) i",
      "ALTER TABLE tree DROP CONSTRAINT tree_parent_id_fkey, "
      "  ADD FOREIGN KEY (parent_id) REFERENCES tree");
  Change({"UPDATE tree SET label = 'swapping' WHERE id = 1",
          "UPDATE tree SET label = 'l1' WHERE id = 2",
          "UPDATE tree SET label = 'l2' WHERE id = 1"});
  Change({"UPDATE tree SET id = 200 WHERE id = 4"});
  Change({"UPDATE tree SET parent_id = 3 WHERE parent_id = 5", "DELETE FROM tree WHERE id = 5",
          "INSERT INTO tree VALUES (50, 10, 'l5')"});
  Change({"DELETE FROM tree WHERE id = 3", "INSERT INTO tree VALUES (33, 2, 'l3')",
          "UPDATE tree SET parent_id = 33 WHERE id = 200"});
}

TEST_P(FkOrderTest, TablesReferToEachOtherInACircle) {
  StartWith(
      "CREATE TABLE a (id int PRIMARY KEY, b_id int, v text);"
      "CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a ON UPDATE CASCADE ON "
      "DELETE CASCADE DEFERRABLE, v text);"
      "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b ON UPDATE CASCADE ON DELETE SET NULL "
      "DEFERRABLE INITIALLY DEFERRED",
      {{"a"}, {"b"}}, "");
  Change(
      {"WITH new AS (INSERT INTO a SELECT i, i, 'a' FROM generate_series(1, 10) i "
       "RETURNING id) INSERT INTO b SELECT id, 11 - id, 'b' FROM new"});
  Change(
      {"WITH new AS (INSERT INTO a VALUES (20, 20, 'x') RETURNING id) "
       "INSERT INTO b SELECT id, id, 'y' FROM new"});
  Change({"UPDATE a SET id = 30 WHERE id = 20", "UPDATE b SET id = 31 WHERE id = 20"});
  Change({"DELETE FROM b WHERE id = 31", "DELETE FROM a WHERE id = 30",
          "DELETE FROM a WHERE id <= 5"});
}

INSTANTIATE_TEST_SUITE_P(Each, FkOrderTest, EachWay(), NameOf);

}  // namespace
}  // namespace switchyard::replayer
