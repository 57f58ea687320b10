// Scopes of a table that has some in quarantine: many of them are recomputed piece by piece.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr int kPiece = 10;

// How many rows each statement wrote into t, whatever role writes.
constexpr char kCounted[] = R"(
  CREATE TABLE written (rows int);
  CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO written SELECT count(*) FROM fresh; RETURN NULL; END';
  CREATE TRIGGER inserts AFTER INSERT ON t REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
  CREATE TRIGGER updates AFTER UPDATE ON t REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
  ALTER TABLE t ENABLE ALWAYS TRIGGER inserts, ENABLE ALWAYS TRIGGER updates;)";
constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, n int, v text);";
constexpr char kAll[] = "SELECT id, n, v FROM t ORDER BY id";
constexpr char kEntries[] =
    "SELECT string_agg(scope ->> 'id', ' ' ORDER BY (scope ->> 'id')::int) "
    "FROM switchyard.quarantine WHERE target = 'public.t'";

// With foreign keys silent, and read by another mapping; or holding, with rows that refer to it.
class QuarantinePiecesTest : public testing::ReplayFixture,
                             public ::testing::WithParamInterface<bool> {
 protected:
  // 100 rows; number 100 is in quarantine.
  void SetUp() override {
    ReplayFixture::SetUp();
    options_.target.replica_role = GetParam();
    options_.target.scopes_per_recompute = kPiece;
    const std::string other = "CREATE TABLE other (id int PRIMARY KEY, v text";
    ASSERT_OK(
        Start(absl::StrCat(kTable, other, ")"),
              absl::StrCat(kTable, "ALTER TABLE t ADD UNIQUE (n), ADD CONSTRAINT nice CHECK ",
                           "(v <> 'bad');", other,
                           GetParam() ? ")" : ", FOREIGN KEY (id) REFERENCES t)", ";", kCounted),
              absl::StrCat("  - table: public.t\n    from: {t: id}\n"
                           "    select: SELECT a.* FROM t a JOIN t b USING (id)\n",
                           GetParam() ? "  - table: public.other\n    from: {public.t: id}\n"
                                        "    select: SELECT id, v FROM public.t\n"
                                      : "  - {table: public.other, copy: other}\n"),
              "INSERT INTO t SELECT i, i, 'old' FROM generate_series(1, 100) i;"
              "INSERT INTO other SELECT i, 'old' FROM generate_series(1, 50) i"));
    ASSERT_OK(CatchUp());
    Change("UPDATE t SET v = 'bad' WHERE id = 100");
    ASSERT_EQ(New(kEntries), "100");
    ASSERT_OK(OnNew("TRUNCATE written"));
  }
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql));
    ASSERT_OK(CatchUp());
  }
  void ExpectEqual() {
    EXPECT_EQ(New(kEntries), "NULL");
    EXPECT_EQ(New(kAll), Old(kAll));
    if (!GetParam()) return;
    EXPECT_EQ(New("SELECT id, v FROM other ORDER BY id"), Old("SELECT id, v FROM t ORDER BY id"));
  }
};

TEST_P(QuarantinePiecesTest, NoStatementWritesMoreThanAPiece) {
  Change(
      "BEGIN; UPDATE t SET v = 'on' WHERE id < 100; DELETE FROM t WHERE id BETWEEN 60 AND 70;"
      "INSERT INTO t SELECT i, i, CASE i WHEN 150 THEN 'bad' ELSE 'new' END "
      "FROM generate_series(101, 200) i; COMMIT");
  EXPECT_EQ(New("SELECT sum(rows) FROM written"), "187");
  EXPECT_EQ(New(absl::StrCat("SELECT count(*) FROM written WHERE rows > ", kPiece)), "0");
  EXPECT_EQ(New(kEntries), "100 150");
  Change("UPDATE t SET v = 'good' WHERE id = 100");
  EXPECT_EQ(New(kEntries), "150");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT nice"));
  ASSERT_OK(RetryQuarantine());
  ExpectEqual();
}

TEST_P(QuarantinePiecesTest, ARecopyIsDerivedInPieces) {
  ASSERT_OK(OnNew("UPDATE t SET v = 'by hand' WHERE id < 100; TRUNCATE written"));
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
            "SELECT name, 'recopy', 'public.t', epoch, lsn, log_offset FROM "
            "switchyard.stream"));
  ASSERT_OK(capture_->Recopy("t"));
  Change("INSERT INTO t VALUES (101, 101, 'new')");
  ASSERT_OK(AwaitNew("SELECT state FROM switchyard.request", "done"));
  EXPECT_EQ(New("SELECT sum(rows) FROM written"), "100");
  EXPECT_EQ(New(absl::StrCat("SELECT count(*) FROM written WHERE rows > ", kPiece)), "0");
  EXPECT_EQ(New(kEntries), "100");
  Change("UPDATE t SET v = 'good' WHERE id = 100");
  ExpectEqual();
}

// Of 1 to 40 the values go round; each of 51 to 89 takes the one that the next leaves.
TEST_P(QuarantinePiecesTest, ValuesPassBetweenPieces) {
  Change(
      "BEGIN; UPDATE t SET n = -n; UPDATE t SET n = 1 + (6 - n) % 40 WHERE id <= 40;"
      "UPDATE t SET n = 1 - n WHERE id BETWEEN 51 AND 89;"
      "UPDATE t SET v = 'on' WHERE id < 100; COMMIT");
  EXPECT_EQ(New(kEntries), "100");
  constexpr char kOthers[] = "SELECT id, n, v FROM t WHERE id < 100 ORDER BY id";
  EXPECT_EQ(New(kOthers), Old(kOthers));
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT nice"));
  ASSERT_OK(RetryQuarantine());
  ExpectEqual();
}

INSTANTIATE_TEST_SUITE_P(Keys, QuarantinePiecesTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Silent" : "Holding"; });

}  // namespace
}  // namespace switchyard::replayer
