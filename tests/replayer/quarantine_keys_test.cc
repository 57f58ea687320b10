// Rows in quarantine whose keys change hands on the source.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kOld[] = "CREATE TABLE t (id int PRIMARY KEY, v text)";
constexpr char kNew[] = "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))";
constexpr char kCopy[] = "  - {table: public.t, copy: t}\n";
constexpr char kAll[] = "SELECT id, v FROM t ORDER BY id";
constexpr char kEntries[] =
    "SELECT scope ->> 'id', before ->> 'id', operation FROM switchyard.quarantine ORDER BY 1, 2";

class QuarantineKeysTest : public testing::ReplayFixture {
 protected:
  void StartWith(const std::string& rows) {
    ASSERT_OK(Start(kOld, kNew, kCopy, rows));
    ASSERT_OK(CatchUp());
  }
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql));
    ASSERT_OK(CatchUp());
  }
};

TEST_F(QuarantineKeysTest, ARowThatTakesTheKeyOfAQuarantinedOneIsAnother) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad')");
  EXPECT_EQ(New(kEntries), "1|NULL|insert");
  // The new row is the first of the transaction, and gets the key that the other one leaves.
  Change(
      "BEGIN; INSERT INTO t VALUES (9, 'new'); UPDATE t SET id = 2 WHERE id = 1;"
      "UPDATE t SET id = 1 WHERE id = 9; COMMIT");
  EXPECT_EQ(New(kAll), "1|new");
  EXPECT_EQ(New(kEntries), "2|NULL|insert");
  Change("UPDATE t SET v = 'good' WHERE id = 2");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(QuarantineKeysTest, AQuarantinedRowTakesTheKeyOfOneThatIsDeleted) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad'), (2, 'bad')");
  Change("BEGIN; DELETE FROM t WHERE id = 2; UPDATE t SET id = 2 WHERE id = 1; COMMIT");
  EXPECT_EQ(New(kEntries), "2|NULL|insert");
  Change("UPDATE t SET v = 'good'");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(QuarantineKeysTest, QuarantinedRowsSwapTheirKeys) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad'), (2, 'bad')");
  Change(
      "BEGIN; UPDATE t SET id = 3 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
      "UPDATE t SET id = 2, v = 'good' WHERE id = 3; COMMIT");
  EXPECT_EQ(New(kEntries), "1|NULL|insert");
  EXPECT_EQ(New(kAll), "2|good");
}

TEST_F(QuarantineKeysTest, AMovedRowIsDeletedWhileAnotherHasItsFirstKey) {
  StartWith("INSERT INTO t VALUES (1, 'one')");
  Change("UPDATE t SET id = 2, v = 'bad'");
  EXPECT_EQ(New(kEntries), "2|1|update");
  Change("INSERT INTO t VALUES (1, 'next')");
  EXPECT_EQ(New(kEntries), "1|NULL|insert\n2|1|update");
  Change("DELETE FROM t WHERE id = 2");
  Change("UPDATE t SET v = 'later'");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(QuarantineKeysTest, RowsThatSwappedTheirKeysArePlacedTogether) {
  StartWith("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
  Change(
      "BEGIN; UPDATE t SET id = -1, v = 'bad' WHERE id = 1; UPDATE t SET id = 1, v = 'bad' WHERE "
      "id = 2; UPDATE t SET id = 2 WHERE id = -1; COMMIT");
  EXPECT_EQ(New(kEntries), "1|2|update\n2|1|update");
  Change("INSERT INTO t VALUES (4, 'bad')");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_v_check, ADD CHECK (id <> 4)"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New(kEntries), "4|NULL|insert");
  EXPECT_EQ(New(kAll), "1|bad\n2|bad\n3|three");
}

// Many more entries stand between the two, and for each of those something of NEW's own is in the
// way, for good.
TEST_F(QuarantineKeysTest, RowsThatWaitForEachOtherAreTriedTogetherHoweverManyStandBetweenThem) {
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v text";
  ASSERT_OK(Start(absl::StrCat(kTable, ")"), absl::StrCat(kTable, " CHECK (v <> 'bad'))"), kCopy,
                  "INSERT INTO t VALUES (1, 1, ''), (2, 2, ''), (3, 33, '')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("INSERT INTO t SELECT -i, 1000 + i, 'own' FROM generate_series(1, 150) i"));
  Change("UPDATE t SET u = 3, v = 'bad' WHERE id = 1");
  Change("INSERT INTO t SELECT 1000 + i, 1000 + i, '' FROM generate_series(1, 150) i");
  Change("UPDATE t SET u = 1 WHERE id = 2");
  Change("UPDATE t SET u = 2, v = '' WHERE id = 1");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "152");
  for (int i = 0; i < 4; ++i) Change("UPDATE t SET v = v || '.' WHERE id = 3");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "150");
  EXPECT_EQ(New("SELECT id, u FROM t WHERE id BETWEEN 1 AND 3 ORDER BY id"), "1|2\n2|1\n3|33");
}

// Each row of a ring is the parent of the one before it.
TEST_F(QuarantineKeysTest, ParentsAndChildrenOfEachOtherAreTriedTogetherLikewise) {
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, parent int, v text";
  for (const int rows : {2, 152}) {
    SCOPED_TRACE(rows);
    options_.target.replica_role = false;
    ASSERT_OK(Start(absl::StrCat(kTable, ")"),
                    absl::StrCat(kTable, " CHECK (v <> 'bad'), FOREIGN KEY (parent) REFERENCES t)"),
                    kCopy, "INSERT INTO t VALUES (0, NULL, '')"));
    ASSERT_OK(CatchUp());
    Change(absl::StrCat("INSERT INTO t SELECT i, i % ", rows, " + 1, CASE i WHEN ", rows,
                        " THEN 'bad' ELSE '' END FROM generate_series(1, ", rows, ") i"));
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), std::to_string(rows));
    Change(absl::StrCat("UPDATE t SET v = '' WHERE id = ", rows));
    Change("INSERT INTO t VALUES (-1, NULL, '')");
    EXPECT_OK(AwaitNew("SELECT count(*) FROM switchyard.quarantine", "0"));
    EXPECT_EQ(New(kAll), Old(kAll));
    TearDown();
    SetUp();
  }
}

class RefusedDeleteTest : public QuarantineKeysTest {
 protected:
  void StartWith(const std::string& rows) {
    QuarantineKeysTest::StartWith(rows);
    ASSERT_OK(
        OnNew("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN RAISE 'row % stays', OLD.id USING ERRCODE = 'check_violation'; END $$;"
              "CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW WHEN (OLD.id = 2) "
              "EXECUTE FUNCTION keep(); ALTER TABLE t ENABLE ALWAYS TRIGGER keep"));
  }
};

TEST_F(RefusedDeleteTest, AQuarantinedRowTakesTheKeyOfARowThatIsStillToGo) {
  StartWith("INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  Change("DELETE FROM t WHERE id = 2");
  Change("UPDATE t SET v = 'bad' WHERE id = 1");
  EXPECT_EQ(New(kEntries), "1|1|update\n2|2|delete");
  Change("UPDATE t SET id = 2 WHERE id = 1");
  EXPECT_EQ(New(kEntries), "2|1|update\n2|2|delete");
  Change("UPDATE t SET v = 'good' WHERE id = 2");
  EXPECT_EQ(New(kAll), "1|one\n2|two");
  ASSERT_OK(OnNew("DROP TRIGGER keep ON t"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New(kEntries), "");
  EXPECT_EQ(New(kAll), "2|good");
}

TEST_F(RefusedDeleteTest, AnotherRowTakesTheKeyOfARowThatIsStillToGo) {
  StartWith("INSERT INTO t VALUES (2, 'two'), (3, 'three')");
  Change("DELETE FROM t WHERE id = 2");
  Change("UPDATE t SET id = 2 WHERE id = 3");
  EXPECT_EQ(New(kEntries), "2|2|delete\n2|3|update");
  Change("DELETE FROM t WHERE id = 2");
  EXPECT_EQ(New(kAll), "2|two");
  EXPECT_EQ(New(kEntries), "2|2|delete");
  Change("INSERT INTO t VALUES (3, 'next'), (2, 'again')");
  EXPECT_EQ(New(kAll), "2|again\n3|next");
  EXPECT_EQ(New(kEntries), "");
}

// A row that was mended by its next change leaves nothing behind: its table is written like any
// other again, not under savepoints, whose rows have transaction ids of their own.
TEST_F(QuarantineKeysTest, ATableWhoseLastEntryWentIsWrittenLikeAnyOther) {
  for (const std::string& mapping :
       {std::string("  - {table: public.t, copy: t}\n"),
        std::string("  - table: public.t\n    from: {t: id, u: id}\n"
                    "    select: SELECT t.* FROM t LEFT JOIN u ON false\n")}) {
    SCOPED_TRACE(mapping);
    ASSERT_OK(Start(std::string(kOld) + "; CREATE TABLE u (id int PRIMARY KEY)",
                    std::string(kNew) + "; CREATE TABLE u (id int PRIMARY KEY)",
                    mapping + "  - {table: public.u, copy: u}\n", ""));
    ASSERT_OK(CatchUp());
    Change("INSERT INTO t VALUES (1, 'bad')");
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
    Change("UPDATE t SET v = 'good'");
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
    Change("BEGIN; INSERT INTO t VALUES (2, 'x'); INSERT INTO u VALUES (2); COMMIT");
    EXPECT_EQ(New("SELECT t.xmin = u.xmin FROM t JOIN u USING (id)"), "t");
    TearDown();
    SetUp();
  }
}

// Rows that hand their values round while others among them are refused.
class RefusedAmongTest : public ChangesFixture {
 protected:
  // The values of rows 1 to 4 and of 5 to 7 go round; 6 is refused, so 5 and 7 must wait for it.
  void RotateAround(const std::string& bad) {
    StartWith("CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE, v text)", {{"t"}},
              "INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, 9) i",
              "ALTER TABLE t ADD CONSTRAINT nice CHECK (v <> 'bad')");
    ASSERT_OK(
        OnOld(absl::StrCat("BEGIN; UPDATE t SET n = -n; UPDATE t SET n = 1 + (-n) % 4 WHERE id < 5;"
                           "UPDATE t SET n = CASE id WHEN 5 THEN 6 WHEN 6 THEN 7 ELSE 5 END "
                           "WHERE id IN (5, 6, 7); UPDATE t SET n = -n WHERE id > 7;"
                           "UPDATE t SET v = 'bad' WHERE id IN (",
                           bad, "); COMMIT")));
    ASSERT_OK(CatchUp());
  }
};

constexpr char kValues[] = "SELECT string_agg(n::text, ' ' ORDER BY id) FROM t";
constexpr char kRefused[] =
    "SELECT string_agg(scope ->> 'id', ' ' ORDER BY scope) FROM switchyard.quarantine";

TEST_P(RefusedAmongTest, OnlyThoseThatWaitForARefusedRowStayBehind) {
  RotateAround("6, 9");
  EXPECT_EQ(New(kValues), "2 3 4 1 5 6 7 8 9");
  EXPECT_EQ(New(kRefused), "5 6 7 9");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT nice, ADD CHECK (v <> 'bad' OR id <> 9)"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New(kValues), "2 3 4 1 6 7 5 8 9");
  EXPECT_EQ(New(kRefused), "9");
}

INSTANTIATE_TEST_SUITE_P(Each, RefusedAmongTest,
                         ::testing::Combine(::testing::Values(Form::kRowLocal, Form::kKeyed),
                                            ::testing::Values(Arrival::kOneTransaction)),
                         NameOf);

}  // namespace
}  // namespace switchyard::replayer
