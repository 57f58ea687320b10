// Foreign keys of every shape, where they hold.
#include <string>
#include <vector>

#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

class FkShapesTest : public ChangesFixture {
 protected:
  void SetUp() override {
    ChangesFixture::SetUp();
    options_.target.replica_role = false;
  }
};

constexpr char kAct[] = "ON DELETE CASCADE ON UPDATE CASCADE";

// NULL in one column of a key: it refers to nothing.
TEST_P(FkShapesTest, NamesToQuoteAndKeysOfTwoColumns) {
  StartWith(R"(
    CREATE TABLE parent ("Id'1" int, "select" text, v text, PRIMARY KEY ("Id'1", "select"));
    CREATE TABLE child (id int PRIMARY KEY, "from" text, "Of ""it" int, v text,
      CONSTRAINT "it's ""of" FOREIGN KEY ("Of ""it", "from") REFERENCES parent
        ON DELETE CASCADE ON UPDATE CASCADE);)",
            {{"parent", "\"Id'1\", \"select\""}, {"child"}}, R"(
    INSERT INTO parent SELECT i, 's' || i, 'p' FROM generate_series(1, 6) i;
    INSERT INTO child SELECT i, 's' || 1 + i % 6, 1 + i % 6, 'c' FROM generate_series(1, 24) i;
    INSERT INTO child VALUES (90, NULL, 1), (91, 'nowhere', NULL), (92, NULL, NULL))");
  Change({R"(UPDATE parent SET "Id'1" = 100 WHERE "Id'1" = 1)"});
  Change({R"(UPDATE child SET "Of ""it" = 100, "from" = 's1' WHERE "Of ""it" = 2)",
          R"(DELETE FROM parent WHERE "Id'1" = 2)"});
  Change({R"(UPDATE child SET "from" = NULL WHERE "Of ""it" = 3)",
          R"(DELETE FROM parent WHERE "Id'1" IN (3, 4))"});
}

TEST_P(FkShapesTest, AKeyThatMatchesInFullOrNotAtAll) {
  StartWith(absl::StrCat("CREATE TABLE parent (a int, b int, v text, PRIMARY KEY (a, b));"
                         "CREATE TABLE child (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) "
                         "REFERENCES parent MATCH FULL ",
                         kAct, ")"),
            {{"parent", "a, b"}, {"child"}},
            "INSERT INTO parent SELECT i, -i, 'p' FROM generate_series(1, 6) i;"
            "INSERT INTO child SELECT i, 1 + i % 6, -1 - i % 6 FROM generate_series(1, 24) i;"
            "INSERT INTO child VALUES (90)");
  Change({"UPDATE child SET a = NULL, b = NULL WHERE a = 1", "DELETE FROM parent WHERE a IN (1, 2)",
          "UPDATE parent SET a = 30, b = 30 WHERE a = 3"});
}

// The child's texts are of another collation than the keys they refer to, and the numbers of
// another type.
TEST_P(FkShapesTest, ColumnsOfOtherTypesAndCollations) {
  StartWith(
      absl::StrCat(
          "CREATE TABLE parent (id text COLLATE \"C\", n bigint, v text, PRIMARY KEY "
          "(id, n));"
          "CREATE TABLE child (id int PRIMARY KEY, parent_id text COLLATE \"POSIX\", n smallint, "
          "FOREIGN KEY (parent_id, n) REFERENCES parent ",
          kAct, ")"),
      {{"parent", "id, n"}, {"child"}},
      "INSERT INTO parent SELECT 'p' || i, i, 'p' FROM generate_series(1, 6) i;"
      "INSERT INTO child SELECT i, 'p' || 1 + i % 6, 1 + i % 6 FROM generate_series(1, 24) i");
  Change({"UPDATE parent SET id = 'other' WHERE id = 'p1'",
          "UPDATE child SET parent_id = 'other', n = 1 WHERE parent_id = 'p2'",
          "DELETE FROM parent WHERE id IN ('p2', 'p3')", "INSERT INTO parent VALUES ('new', 7)",
          "INSERT INTO child VALUES (70, 'new', 7)"});
}

// Both sides in parts; a key of the whole, and one of a part.
TEST_P(FkShapesTest, TablesInPartsReferToEachOther) {
  StartWith(
      absl::StrCat(
          "CREATE TABLE parent (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
          "CREATE TABLE parent_low PARTITION OF parent FOR VALUES FROM (MINVALUE) TO (4);"
          "CREATE TABLE parent_high PARTITION OF parent FOR VALUES FROM (4) TO (MAXVALUE);"
          "CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ",
          kAct,
          ", low int, v text) PARTITION BY HASH (id);"
          "CREATE TABLE child_0 PARTITION OF child FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
          "CREATE TABLE child_1 PARTITION OF child FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
          "ALTER TABLE child_1 ADD FOREIGN KEY (low) REFERENCES parent_low ON DELETE SET NULL"),
      {{"parent"}, {"child"}},
      "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 6) i;"
      "INSERT INTO child SELECT i, 1 + i % 6, 1 + i % 3 FROM generate_series(1, 24) i");
  Change({"UPDATE parent SET id = 10 WHERE id = 1"});
  Change({"UPDATE child SET parent_id = 3 WHERE parent_id = 2",
          "UPDATE child SET low = 3 WHERE low = 2", "DELETE FROM parent WHERE id = 2"});
  Change({"DELETE FROM parent WHERE id IN (3, 4)", "INSERT INTO parent VALUES (3, 'again')",
          "INSERT INTO child VALUES (90, 3, 3, 'new'), (91, 3, 3, 'new')"});
}

// SET CONSTRAINTS knows constraints by name, and two tables may have the same for theirs.
TEST_P(FkShapesTest, KeysOfOneNameOfWhichOneCanWait) {
  StartWith(
      "CREATE TABLE parent (id int PRIMARY KEY, v text CHECK (v <> 'refused'));"
      "CREATE TABLE child (id int PRIMARY KEY, parent_id int,"
      "  CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent DEFERRABLE);"
      "CREATE TABLE other (id int PRIMARY KEY, parent_id int,"
      "  CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES child)",
      {{"parent"}, {"child"}, {"other"}},
      "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 6) i;"
      "INSERT INTO child SELECT i, i FROM generate_series(1, 6) i;"
      "INSERT INTO other SELECT i, i FROM generate_series(1, 6) i",
      "ALTER TABLE other ADD CHECK (id <> 77)");
  Change({"DELETE FROM other WHERE id = 1", "DELETE FROM child WHERE id = 1",
          "DELETE FROM parent WHERE id = 1"});
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO other VALUES (77, 2);"
            "UPDATE child SET parent_id = 3 WHERE id = 2; DELETE FROM parent WHERE id = 2; "
            "COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT target, scope ->> 'id' FROM switchyard.quarantine"), "public.other|77");
  Change({"DELETE FROM other WHERE id = 77"});
}

INSTANTIATE_TEST_SUITE_P(Each, FkShapesTest, EachWay(), NameOf);

}  // namespace
}  // namespace switchyard::replayer
