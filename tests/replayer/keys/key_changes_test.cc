// Keys and unique values that change hands, and rows that refer to each other: in one transaction
// of OLD, and over several transactions that reach NEW as one batch; written straight into the
// table, and recomputed through the mirror.
#include <vector>

#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

class KeyChangesTest : public ChangesFixture {};

TEST_P(KeyChangesTest, AUniqueValuePassesFromRowToRow) {
  StartWith("CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, v text UNIQUE)", {{"t"}},
            "INSERT INTO t SELECT i, i, 'v' || i FROM generate_series(1, 20) i");
  Change({"DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (101, 1, 'v1')"});
  Change({"UPDATE t SET n = NULL WHERE id = 2", "UPDATE t SET n = 2 WHERE id = 3",
          "UPDATE t SET n = 3 WHERE id = 4", "UPDATE t SET n = 4 WHERE id = 2"});
  Change({"UPDATE t SET id = 105, n = 105 WHERE id = 5", "INSERT INTO t VALUES (5, 5, 'new')",
          "UPDATE t SET v = 'gone' WHERE id = 105", "UPDATE t SET v = 'v5' WHERE id = 5"});
  Change({"UPDATE t SET n = n + 1000", "UPDATE t SET n = n - 999"});  // each gets its neighbour's
}

TEST_P(KeyChangesTest, TwoRowsSwapTheirUniqueValues) {
  StartWith(
      "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, "
      "m int CONSTRAINT later UNIQUE DEFERRABLE)",
      {{"t"}}, "INSERT INTO t SELECT i, i, i FROM generate_series(1, 10) i",
      "ALTER TABLE t DROP CONSTRAINT later, ADD UNIQUE (m)");
  Change({"UPDATE t SET n = -1 WHERE id = 1", "UPDATE t SET n = 1 WHERE id = 2",
          "UPDATE t SET n = 2 WHERE id = 1"});
  // In a single statement, which OLD's deferrable key allows.
  Change({"UPDATE t SET m = 7 - m WHERE id IN (3, 4)", "UPDATE t SET m = 11 - m"});
  Change({"UPDATE t SET n = -n WHERE id <= 6", "UPDATE t SET n = 7 + n WHERE id <= 6",
          "UPDATE t SET m = 1 + m % 10"});
}

TEST_P(KeyChangesTest, AValueThatIsUniqueAmongSomeRowsPassesBetweenThem) {
  constexpr char kSchema[] =
      "CREATE TABLE t (id int PRIMARY KEY, room int, active boolean, span int4range);"
      "CREATE UNIQUE INDEX ON t (room) WHERE active;"
      "ALTER TABLE t ADD EXCLUDE USING gist (span WITH &&) WHERE (active)";
  StartWith(kSchema, {{"t"}},
            "INSERT INTO t SELECT i, i / 2, i % 2 = 0, int4range(i / 2, i / 2 + 1) "
            "FROM generate_series(2, 21) i");
  Change({"UPDATE t SET active = false WHERE id = 2", "UPDATE t SET active = true WHERE id = 3"});
  Change({"UPDATE t SET active = false", "UPDATE t SET active = id % 2 = 1"});
  Change({"DELETE FROM t WHERE id = 5", "UPDATE t SET active = true WHERE id = 4",
          "INSERT INTO t VALUES (5, 2, false, '[2,3)')",
          "UPDATE t SET room = 100, span = '[100,200)' WHERE id = 4",
          "UPDATE t SET active = true WHERE id = 5"});
}

TEST_P(KeyChangesTest, AnExpressionsUniqueValuePassesFromRowToRow) {
  StartWith(
      "CREATE TABLE t (id int PRIMARY KEY, email text, tenant int, "
      "name text GENERATED ALWAYS AS (lower(email)) STORED);"
      "CREATE UNIQUE INDEX ON t (lower(email), coalesce(tenant, 0));"
      "CREATE UNIQUE INDEX ON t (name, tenant) INCLUDE (id)",
      {{"t", "id", "a.id, a.email, a.tenant"}},
      "INSERT INTO t SELECT i, 'P' || i, i % 2 FROM generate_series(1, 10) i");
  Change({"UPDATE t SET email = 'p1 free' WHERE id = 1", "UPDATE t SET email = 'p1' WHERE id = 3",
          "UPDATE t SET email = 'P3' WHERE id = 1"});
  Change({"UPDATE t SET tenant = NULL WHERE id = 2", "INSERT INTO t VALUES (12, 'p2', 2)",
          "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (13, 'p2', 0)"});
}

TEST_P(KeyChangesTest, AKeyIsDeletedAndInsertedAgain) {
  StartWith("CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, v text)", {{"t"}},
            "INSERT INTO t SELECT i, i, 'v' || i FROM generate_series(1, 10) i");
  Change({"DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 1, NULL)"});
  Change({"DELETE FROM t WHERE id IN (2, 3)", "INSERT INTO t VALUES (2, 3, 'crossed')",
          "INSERT INTO t VALUES (3, 2, 'crossed')", "DELETE FROM t WHERE id = 2",
          "INSERT INTO t VALUES (2, 2000, 'again')", "UPDATE t SET v = 'end' WHERE id = 2"});
  Change({"INSERT INTO t VALUES (50, 50, 'short')", "DELETE FROM t WHERE id = 50"});
  Change({"DELETE FROM t", "INSERT INTO t SELECT i, 11 - i, 'all' FROM generate_series(1, 10) i"});
  Change({"TRUNCATE t", "INSERT INTO t VALUES (1, 1, 'only')", "TRUNCATE t",
          "INSERT INTO t VALUES (1, 2, 'last')"});
}

TEST_P(KeyChangesTest, KeysMoveIntoEachOthersPlaces) {
  StartWith("CREATE TABLE t (a int, b text, n int UNIQUE, PRIMARY KEY (a, b))", {{"t", "a, b"}},
            "INSERT INTO t SELECT i, 'b' || i, i FROM generate_series(1, 12) i");
  Change({"UPDATE t SET a = 100 WHERE a = 1", "UPDATE t SET a = 1, b = 'b1' WHERE a = 2",
          "UPDATE t SET a = 2, b = 'b2' WHERE a = 3",
          "UPDATE t SET a = 3, b = 'b3' WHERE a = 100"});
  Change({"UPDATE t SET a = -a", "UPDATE t SET a = 13 + a, n = -n", "UPDATE t SET n = 13 + n"});
  Change({"DELETE FROM t WHERE a = 5", "UPDATE t SET a = 5, b = 'b8' WHERE a = 6",
          "INSERT INTO t VALUES (6, 'b7', 600)"});
}

constexpr char kFamily[] =
    "CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE);"
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent "
    "  ON UPDATE CASCADE ON DELETE CASCADE, v text);"
    "CREATE TABLE detail (parent_id int REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE,"
    "  n int, v text, PRIMARY KEY (parent_id, n))";
constexpr char kFamilyRows[] =
    "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 6) i;"
    "INSERT INTO child SELECT i, 1 + i % 6, 'c' FROM generate_series(1, 24) i;"
    "INSERT INTO detail SELECT p, n, 'd' FROM generate_series(1, 6) p, generate_series(1, 3) n";
const std::vector<MappedTable> kFamilyTables = {{"parent"}, {"child"}, {"detail", "parent_id, n"}};

TEST_P(KeyChangesTest, AParentsKeyChangesAndItsChildrenFollow) {
  StartWith(kFamily, kFamilyTables, kFamilyRows);
  Change({"UPDATE parent SET id = 100 WHERE id = 1"});
  Change({"UPDATE parent SET id = id + 1000", "UPDATE parent SET id = id - 999 WHERE id < 1050",
          "UPDATE child SET v = 'moved' WHERE parent_id > 3"});
  // Two parents trade their keys, and each other's children with them.
  Change({"UPDATE parent SET id = -1 WHERE id = 3", "UPDATE parent SET id = 3 WHERE id = 4",
          "UPDATE parent SET id = 4 WHERE id = -1"});
}

TEST_P(KeyChangesTest, ParentAndChildComeAndGoTogether) {
  StartWith(kFamily, kFamilyTables, kFamilyRows);
  Change({"INSERT INTO parent VALUES (50, 'new')", "INSERT INTO child VALUES (50, 50, 'new')",
          "INSERT INTO detail VALUES (50, 1, 'new')"});
  Change({"DELETE FROM child WHERE parent_id = 50", "DELETE FROM detail WHERE parent_id = 50",
          "DELETE FROM parent WHERE id = 50"});
  Change({"INSERT INTO parent VALUES (51, 'short')", "INSERT INTO child VALUES (51, 51, 'short')",
          "DELETE FROM parent WHERE id = 51"});
  Change({"DELETE FROM parent WHERE id <= 3"});  // by ON DELETE CASCADE
  Change({"DELETE FROM parent WHERE id = 4", "INSERT INTO parent VALUES (4, 'p4')",
          "INSERT INTO child VALUES (400, 4, 'back')", "UPDATE child SET parent_id = 4"});
  Change({"TRUNCATE parent CASCADE", "INSERT INTO parent VALUES (1, 'p1')",
          "INSERT INTO detail VALUES (1, 1, 'after')"});
}

TEST_P(KeyChangesTest, RowsReferToOthersOfTheirTable) {
  StartWith(
      "CREATE TABLE tree (id int PRIMARY KEY, parent_id int REFERENCES tree ON UPDATE CASCADE "
      "ON DELETE CASCADE, label text UNIQUE)",
      {{"tree"}},
      "INSERT INTO tree SELECT i, nullif(i / 2, 0), 'l' || i FROM generate_series(1, 31) i");
  Change({"INSERT INTO tree VALUES (40, NULL, 'a')", "INSERT INTO tree VALUES (41, 40, 'b')",
          "UPDATE tree SET parent_id = 40 WHERE id = 2"});
  Change({"UPDATE tree SET id = 100 WHERE id = 40", "UPDATE tree SET id = id + 200 WHERE id = 3"});
  Change({"INSERT INTO tree VALUES (50, 50, 'itself')", "UPDATE tree SET id = 51 WHERE id = 50"});
  Change({"UPDATE tree SET parent_id = 203 WHERE id = 1",
          "DELETE FROM tree WHERE id = 100"});  // which takes the half below it along
  Change({"DELETE FROM tree WHERE id = 1"});    // and this a circle
}

TEST_P(KeyChangesTest, TablesReferToEachOtherInACircle) {
  StartWith(
      "CREATE TABLE a (id int PRIMARY KEY, b_id int, v text);"
      "CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a ON UPDATE CASCADE ON "
      "DELETE CASCADE DEFERRABLE, v text);"
      "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b ON UPDATE CASCADE ON DELETE SET NULL "
      "DEFERRABLE INITIALLY DEFERRED",
      {{"a"}, {"b"}},
      "BEGIN; INSERT INTO a SELECT i, i, 'a' FROM generate_series(1, 10) i;"
      "INSERT INTO b SELECT i, 11 - i, 'b' FROM generate_series(1, 10) i; COMMIT");
  Change(
      {"WITH new AS (INSERT INTO a VALUES (20, 20, 'x') RETURNING id) "
       "INSERT INTO b SELECT id, id, 'y' FROM new"});
  Change({"UPDATE a SET id = 30 WHERE id = 20", "UPDATE b SET id = 31 WHERE id = 20"});
  Change({"DELETE FROM b WHERE id = 31", "DELETE FROM a WHERE id = 30",
          "DELETE FROM a WHERE id <= 5"});
}

// The rechecks that would else be left out under session_replication_role = replica.
constexpr char kAlwaysRecheck[] = R"(
  DO $$ DECLARE g record; BEGIN
    FOR g IN SELECT tgrelid::regclass AS tab, tgname FROM pg_trigger t
             JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'unique_key_recheck' LOOP
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', g.tab, g.tgname);
    END LOOP; END $$;)";

// NEW may put off what OLD checks at once; its rows are the same.
TEST_P(KeyChangesTest, NewMayDeferItsConstraints) {
  StartWith(kFamily, kFamilyTables, kFamilyRows,
            absl::StrCat("ALTER TABLE parent DROP CONSTRAINT parent_name_key, "
                         "  ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED;"
                         "ALTER TABLE child ALTER CONSTRAINT child_parent_id_fkey "
                         "  DEFERRABLE INITIALLY DEFERRED, ADD UNIQUE (id, parent_id) DEFERRABLE;",
                         kAlwaysRecheck));
  Change({"UPDATE parent SET name = 'swapping' WHERE id = 1",
          "UPDATE parent SET name = 'p1' WHERE id = 2",
          "UPDATE parent SET name = 'p2' WHERE id = 1"});
  Change({"DELETE FROM parent WHERE id = 3", "INSERT INTO parent VALUES (3, 'p3')",
          "INSERT INTO child VALUES (100, 3, 'new')"});
}

// What NEW checks at the end only is refused there for the one row that breaks it.
TEST_P(KeyChangesTest, ARowThatBreaksADeferredConstraintGoesToQuarantineAlone) {
  StartWith(
      "CREATE TABLE t (id int PRIMARY KEY, n int)", {{"t"}},
      "INSERT INTO t SELECT i, i FROM generate_series(1, 9) i",
      absl::StrCat("ALTER TABLE t ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED;", kAlwaysRecheck));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO t VALUES (10, 10); INSERT INTO t VALUES (11, 1);"
            "UPDATE t SET n = 20 WHERE id = 2; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT string_agg(id || ':' || n, ' ' ORDER BY id) FROM t WHERE n < 3 OR n > 9"),
            "1:1 2:20 10:10");
  EXPECT_EQ(New("SELECT scope->>'id', sqlstate FROM switchyard.quarantine"), "11|23505");
  ASSERT_OK(OnOld("UPDATE t SET n = 11 WHERE id = 11"));  // and it is mended by its next change
  ASSERT_OK(CatchUp());
  ExpectEqual("the row was mended");
}

INSTANTIATE_TEST_SUITE_P(Each, KeyChangesTest, EachWay(), NameOf);

}  // namespace
}  // namespace switchyard::replayer
