// What a batch costs: no statement of it reads more than a few rows for each row that changes,
// however many there are. Counted by NEW, of Switchyard's temporary tables too.
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "tests/replayer/changes_fixture.h"
#include "tests/support/await.h"

namespace switchyard::replayer {
namespace {

constexpr int64_t kRows = 3000;
// A join of two tables of kRows that goes row by row reads 3,000.
constexpr int64_t kReadsPerRowMax = 400;

class StatementCostTest : public ChangesFixture {
 protected:
  // Runs the statements on OLD, each of which changes `changed` rows of t, and looks what NEW read.
  void Cost(const std::vector<std::string>& statements, int64_t changed) {
    const int64_t written = Count(kWritten);
    const int64_t read = Count(kRead);
    Change(statements);
    if (HasFatalFailure()) return;
    // The server counts what a session did a moment later.
    ASSERT_OK(testing::Await("NEW has counted it", absl::Seconds(60),
                             [&] { return Count(kWritten) >= written + changed; }));
    EXPECT_LT((Count(kRead) - read) / kRows, kReadsPerRowMax) << absl::StrJoin(statements, "; ");
  }

 private:
  static constexpr char kWritten[] =
      "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables WHERE relname = 't'";
  static constexpr char kRead[] =
      "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_all_tables "
      "WHERE schemaname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')";

  int64_t Count(const std::string& sql) {
    int64_t count = -1;
    EXPECT_TRUE(absl::SimpleAtoi(New(sql), &count)) << New(sql);
    return count;
  }
};

TEST_P(StatementCostTest, ChangesOfEveryKindReadEachRowAFewTimes) {
  options_.target.scopes_per_recompute = 1000;
  StartWith("CREATE TABLE t (id int PRIMARY KEY, n int, v text); CREATE INDEX ON t (n)", {{"t"}},
            absl::StrCat("INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, ", kRows, ") i"),
            "ALTER TABLE t ADD UNIQUE (n)");
  Cost({"UPDATE t SET v = v || '.'"}, kRows);
  Cost({"UPDATE t SET id = id + 100000"}, kRows);
  Cost({"DELETE FROM t WHERE id % 2 = 0", "UPDATE t SET v = v || '.'",
        "INSERT INTO t SELECT i, -i, 'new' FROM generate_series(2, 3000, 2) i"},
       kRows);
}

// Keys that go into each other's places, and unique values that pass on: rows are taken out.
TEST_P(StatementCostTest, RowsThatAreTakenOutAreFoundAgainOnce) {
  StartWith("CREATE TABLE t (id int PRIMARY KEY, n int, v text)", {{"t"}},
            absl::StrCat("INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, ", kRows, ") i"),
            "ALTER TABLE t ADD UNIQUE (n)");
  Cost({"UPDATE t SET n = -n", "UPDATE t SET n = 3001 + n"}, kRows);
  Cost({"UPDATE t SET id = -id", "UPDATE t SET id = 3001 + id"}, kRows);
}

INSTANTIATE_TEST_SUITE_P(Each, StatementCostTest, EachWay(), NameOf);

class OrderedCostTest : public StatementCostTest {
 protected:
  void SetUp() override {
    StatementCostTest::SetUp();
    options_.target.replica_role = false;
  }
};

TEST_P(OrderedCostTest, ParentsMoveWithTheirChildren) {
  StartWith(
      "CREATE TABLE t (id int PRIMARY KEY, v text);"
      "CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES t ON UPDATE CASCADE);"
      "CREATE INDEX ON child (parent_id)",
      {{"t"}, {"child"}},
      absl::StrCat("INSERT INTO t SELECT i, 'v' FROM generate_series(1, ", kRows, ") i;",
                   "INSERT INTO child SELECT i, i FROM generate_series(1, ", kRows, ") i"));
  Cost({"UPDATE t SET id = id + 100000"}, kRows);
  Cost({"INSERT INTO t SELECT i, 'new' FROM generate_series(1, 3000) i",
        "UPDATE child SET parent_id = id", "DELETE FROM t WHERE id > 100000"},
       2 * kRows);
}

INSTANTIATE_TEST_SUITE_P(Each, OrderedCostTest, EachWay(), NameOf);

}  // namespace
}  // namespace switchyard::replayer
