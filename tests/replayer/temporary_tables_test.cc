// The temporary tables of a session that applies changes: of the tables that changed, not of all
// that are mapped.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr int kTables = 8;
constexpr char kStages[] =
    "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class "
    "WHERE relname LIKE 'sy\\_stage\\_%'";

class TemporaryTablesTest : public testing::ReplayFixture {
 protected:
  // Each table of OLD fills one of NEW by itself, and another one by a select, from which a third
  // is made.
  void StartTables() {
    std::string of_old;
    std::string of_new;
    std::string forward;
    for (int i = 0; i < kTables; ++i) {
      const std::string t = absl::StrCat("t", i);
      const std::string columns = " (id int PRIMARY KEY, v text, n int";
      absl::StrAppend(&of_old, "CREATE TABLE ", t, columns, ");");
      absl::StrAppend(&of_new, "CREATE TABLE ", t, columns, " CHECK (n < 100));", "CREATE TABLE k",
                      t, columns, " CHECK (n < 1000));", "CREATE TABLE s", t,
                      " (v text PRIMARY KEY, rows bigint);");
      absl::StrAppend(
          &forward, "  - {table: public.", t, ", copy: ", t, "}\n", "  - table: public.k", t,
          "\n    from: {", t, ": id}\n    select: SELECT a.id, b.v, a.n FROM ", t, " a JOIN ", t,
          " b USING (id)\n  - table: public.s", t, "\n    from: {public.k", t,
          ": v}\n    select: SELECT v, count(*) AS rows FROM public.k", t, " GROUP BY v\n");
    }
    ASSERT_OK(Start(of_old, of_new, forward));
    ASSERT_OK(CatchUp());
    EXPECT_FALSE(StopReplayer().ok());
    ASSERT_OK(StartReplayer());
    ASSERT_OK(AwaitState("streaming"));
  }
  // Of the sessions of this database.
  std::string Stages() { return New(kStages); }
  void ExpectEqual() {
    for (int i = 0; i < kTables; ++i) {
      const std::string rows = absl::StrCat("SELECT id, v, n FROM t", i, " ORDER BY id");
      EXPECT_EQ(New(rows), Old(rows)) << i;
      EXPECT_EQ(New(absl::StrCat("SELECT id, v, n FROM kt", i, " ORDER BY id")), Old(rows)) << i;
      EXPECT_EQ(
          New(absl::StrCat("SELECT v, rows FROM st", i, " ORDER BY v COLLATE \"C\"")),
          Old(absl::StrCat("SELECT v, count(*) FROM t", i, " GROUP BY v ORDER BY v COLLATE \"C\"")))
          << i;
    }
  }
};

TEST_F(TemporaryTablesTest, AreMadeForTablesThatChange) {
  ASSERT_NO_FATAL_FAILURE(StartTables());
  ASSERT_OK(AwaitNew(kStages, ""));  // the server is not quite done with the session before
  ASSERT_OK(OnOld("INSERT INTO t3 VALUES (1, 'a', 1), (2, 'a', 2)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(Stages(), "sy_stage_3");
  ASSERT_OK(OnOld("BEGIN; UPDATE t3 SET v = 'b' WHERE id = 1; TRUNCATE t5; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(Stages(), "sy_stage_3 sy_stage_5");
  ExpectEqual();
}

TEST_F(TemporaryTablesTest, GoWhereThereAreMoreThanASessionKeeps) {
  options_.target.temporary_tables_kept = 12;
  ASSERT_NO_FATAL_FAILURE(StartTables());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kTables; ++i) {
      ASSERT_OK(OnOld(absl::StrCat("INSERT INTO t", i, " VALUES (", round, ", 'r', ", round,
                                   "); UPDATE t", i, " SET v = v || id WHERE id = ", round - 1)));
      ASSERT_OK(CatchUp());
      const std::string stages = Stages();
      EXPECT_LE(std::ranges::count(stages, ' '), 2) << stages;
    }
  }
  ExpectEqual();
}

// In the middle of a transaction, that is rolled back for a row that NEW refuses and read again.
TEST_F(TemporaryTablesTest, AreMadeWithinATransactionThatIsLarge) {
  options_.batch_rows_max = 10;
  ASSERT_NO_FATAL_FAILURE(StartTables());
  const auto fill = [&](int from) {
    std::string sql = "BEGIN;";
    for (int i = 0; i < kTables; ++i) {
      absl::StrAppend(&sql, "INSERT INTO t", i, " SELECT i, 'v' || i % 3, ",
                      i == 5 ? "CASE i % 25 WHEN 7 THEN 500 ELSE 1 END" : "i % 50",
                      " FROM generate_series(", from, ", ", from + 24, ") i;");
    }
    return sql + "COMMIT";
  };
  ASSERT_OK(OnOld(fill(1)));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("UPDATE t0 SET v = 'alone' WHERE id = 3"));
  ASSERT_OK(OnOld(fill(26)));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  ASSERT_OK(OnOld("UPDATE t5 SET n = 5 WHERE n = 500"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  ExpectEqual();
}

}  // namespace
}  // namespace switchyard::replayer
