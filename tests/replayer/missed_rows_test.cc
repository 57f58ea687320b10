// Rows that were to be changed and are not there are a fact about NEW, kept with the changes.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text, n int UNIQUE)";
constexpr char kCopyT[] = "  - {table: public.t, copy: t}\n";
constexpr char kFour[] = "INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 4) i";
constexpr char kMissed[] =
    "SELECT source, target, rows FROM switchyard.missed_rows ORDER BY source, target";

class MissedRowsTest : public testing::ReplayFixture {
 protected:
  void SetUp() override {
    ReplayFixture::SetUp();
    may_miss_rows_ = true;
  }
  void StartAndLose(const std::string& new_table, const std::string& mapping,
                    const std::string& lose) {
    ASSERT_OK(Start(kTable, new_table, mapping, kFour));
    ASSERT_OK(CatchUp());
    ASSERT_OK(OnNew(lose));
  }
  // What is missed after this was done on OLD, in one transaction.
  std::string After(const std::string& sql) {
    EXPECT_OK(OnOld("BEGIN; " + sql + "; COMMIT"));
    EXPECT_OK(CatchUp());
    return New(kMissed);
  }
};

TEST_F(MissedRowsTest, EachKindOfChangeIsCountedPerTable) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kTable, kCopyT, "DELETE FROM t WHERE id < 4"));
  EXPECT_EQ(After("UPDATE t SET v = 'there' WHERE id = 4"), "");
  EXPECT_EQ(After("UPDATE t SET v = 'x' WHERE id IN (1, 4)"), "public.t|public.t|1");
  const std::string first = New("SELECT first_lsn FROM switchyard.missed_rows");
  EXPECT_EQ(After("UPDATE t SET id = 30 WHERE id = 3"), "public.t|public.t|2");
  EXPECT_EQ(After("DELETE FROM t WHERE id = 2"), "public.t|public.t|3");
  EXPECT_EQ(New("SELECT first_lsn FROM switchyard.missed_rows"), first);
  EXPECT_EQ(New("SELECT first_lsn < last_lsn AND last_lsn = s.lsn FROM switchyard.missed_rows, "
                "switchyard.stream s"),
            "t");
}

TEST_F(MissedRowsTest, AnUpdateThatLeavesEqualRowsAloneKnowsWhichAreThere) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose("CREATE TABLE t (id int PRIMARY KEY, v text)",
                                       "  - {table: public.t, copy: t, drop: [n]}\n",
                                       "DELETE FROM t WHERE id = 1"));
  EXPECT_EQ(After("UPDATE t SET n = -n WHERE id > 1"), "");
  EXPECT_EQ(After("UPDATE t SET n = -n"), "public.t|public.t|1");
}

TEST_F(MissedRowsTest, ATableOfNothingButItsKeyIsLookedAtToo) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose("CREATE TABLE t (id int PRIMARY KEY)",
                                       "  - {table: public.t, copy: t, drop: [v, n]}\n",
                                       "DELETE FROM t WHERE id = 1"));
  EXPECT_EQ(After("UPDATE t SET n = -n"), "public.t|public.t|1");
}

TEST_F(MissedRowsTest, RowsOfAMirrorAreCountedForTheirSource) {
  constexpr char kKeyed[] = "  - {table: public.t, copy: t, where: id > 0}\n";
  ASSERT_NO_FATAL_FAILURE(
      StartAndLose(kTable, kKeyed, "DELETE FROM switchyard_old.t WHERE id IN (1, 2, 3)"));
  EXPECT_EQ(After("UPDATE t SET v = 'x' WHERE id = 1"), "public.t|switchyard_old.t|1");
  // By taking them out and putting them back.
  EXPECT_EQ(After("UPDATE t SET id = id + 100 WHERE id > 1"), "public.t|switchyard_old.t|3");
}

TEST_F(MissedRowsTest, RowsTakenOutAndPutBackAreCounted) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(
      "CREATE TABLE t (id int PRIMARY KEY, v text, n int GENERATED ALWAYS AS IDENTITY UNIQUE)",
      kCopyT, "DELETE FROM t WHERE id = 1"));
  EXPECT_EQ(After("UPDATE t SET v = 'x'"), "public.t|public.t|1");
}

TEST_F(MissedRowsTest, WhatWaitsInQuarantineIsNotMissed) {
  ASSERT_NO_FATAL_FAILURE(
      StartAndLose("CREATE TABLE t (id int PRIMARY KEY, v text, n int CHECK (n "
                   "< 100))",
                   kCopyT, "DELETE FROM t WHERE id = 1"));
  EXPECT_EQ(After("INSERT INTO t VALUES (5, 'refused', 500), (6, 'refused', 600)"), "");
  EXPECT_EQ(After("UPDATE t SET v = 'still' WHERE id IN (2, 5); UPDATE t SET id = 7 WHERE id = 6"),
            "");
  EXPECT_EQ(After("DELETE FROM t WHERE id IN (5, 7)"), "");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  EXPECT_EQ(After("INSERT INTO t VALUES (8, 'refused', 800)"), "");
  // Counted once in the careful pass.
  EXPECT_EQ(After("UPDATE t SET v = 'x'; INSERT INTO t VALUES (9, 'refused', 900)"),
            "public.t|public.t|1");
}

constexpr char kChecked[] = "CREATE TABLE t (id int PRIMARY KEY, v text, n int CHECK (n < 100))";

TEST_F(MissedRowsTest, DeletesAreCountedWhereRowsAreRefused) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kChecked, kCopyT, "DELETE FROM t WHERE id IN (1, 3)"));
  EXPECT_EQ(After("DELETE FROM t WHERE id < 3; INSERT INTO t VALUES (9, 'refused', 900)"),
            "public.t|public.t|1");
  // While something waits in quarantine; and what waits there itself.
  EXPECT_EQ(After("DELETE FROM t WHERE id IN (3, 4, 9)"), "public.t|public.t|2");
  EXPECT_EQ(New("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

TEST_F(MissedRowsTest, WhatWaitedInQuarantineAndHasNoRowAnyMoreIsCounted) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kChecked, kCopyT, "SELECT"));
  EXPECT_EQ(After("UPDATE t SET n = 100 * n WHERE id < 4"), "");
  ASSERT_OK(OnNew("DELETE FROM t WHERE id < 4"));
  EXPECT_EQ(After("UPDATE t SET n = 1 WHERE id = 1"), "public.t|public.t|1");
  EXPECT_EQ(After("DELETE FROM t WHERE id = 2"), "public.t|public.t|2");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_n_check"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New(kMissed), "public.t|public.t|3");
}

TEST_F(MissedRowsTest, DeletesAreCountedWhereSeveralMappingsFillATable) {
  for (const char* refused : {"", "; INSERT INTO t VALUES (9, 'refused', 900)"}) {
    ASSERT_OK(
        Start(std::string(kTable) + "; CREATE TABLE o (id int PRIMARY KEY, n int)",
              "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 100), kind text)",
              "  - {table: public.t, copy: t, drop: [v], set: {kind: \"'t'\"}, owns: kind = 't'}\n"
              "  - {table: public.t, copy: o, set: {kind: \"'o'\"}, owns: kind = 'o'}\n",
              kFour));
    ASSERT_OK(CatchUp());
    ASSERT_OK(OnNew("DELETE FROM t WHERE id = 1"));
    EXPECT_EQ(
        After(absl::StrCat("DELETE FROM t WHERE id < 3; INSERT INTO o VALUES (2, 2)", refused)),
        "public.t|public.t|1");
    EXPECT_EQ(New("SELECT kind FROM t WHERE id = 2"), "o");
    TearDown();
    SetUp();
  }
}

TEST_F(MissedRowsTest, RowsThatGoLateForForeignKeysAreCounted) {
  constexpr char kChild[] = "; CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t)";
  for (const char* refused : {"", "; INSERT INTO t VALUES (9, 'refused', 900)"}) {
    options_.target.replica_role = false;
    ASSERT_OK(Start(std::string(kTable) + kChild, std::string(kChecked) + kChild,
                    std::string(kCopyT) + "  - {table: public.c, copy: c}\n",
                    std::string(kFour) + "; INSERT INTO c VALUES (1, 1), (2, 2), (3, 3), (4, 4)"));
    ASSERT_OK(CatchUp());
    ASSERT_OK(OnNew("DELETE FROM c WHERE id IN (1, 3); DELETE FROM t WHERE id IN (1, 3)"));
    EXPECT_EQ(
        After(absl::StrCat("DELETE FROM c WHERE id < 3; DELETE FROM t WHERE id < 3", refused)),
        "public.c|public.c|1\npublic.t|public.t|1");
    // With a key that changes.
    EXPECT_EQ(After("DELETE FROM c; UPDATE t SET id = 40 WHERE id = 4; DELETE FROM t WHERE id = 3"),
              "public.c|public.c|2\npublic.t|public.t|2");
    TearDown();
    SetUp();
  }
}

TEST_F(MissedRowsTest, RowsOfOneLargeTransactionAreCountedOnce) {
  for (const char* refused : {"", "INSERT INTO t VALUES (9, 'refused', 900);"}) {
    options_.batch_rows_max = 2;
    ASSERT_NO_FATAL_FAILURE(StartAndLose(kChecked, kCopyT, "DELETE FROM t WHERE id < 4"));
    EXPECT_EQ(After(absl::StrCat(
                  "UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'y' WHERE id = 4; ", refused,
                  "INSERT INTO t VALUES (5, '', 5); DELETE FROM t WHERE id = 2; UPDATE t SET id = "
                  "30 WHERE id = 3; INSERT INTO t VALUES (6, '', 6); DELETE FROM t WHERE id = 5")),
              "public.t|public.t|3");
    EXPECT_EQ(New("SELECT string_agg(id || v, ' ' ORDER BY id) FROM t"), "4y 6");
    TearDown();
    SetUp();
  }
}

// Where foreign keys hold, rows go before others are written: that of an entry, too.
TEST_F(MissedRowsTest, WhatIsRefusedAndGoesInOneTransactionIsNotMissed) {
  options_.target.replica_role = false;
  options_.batch_rows_max = 1;
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kChecked, kCopyT, "SELECT"));
  EXPECT_EQ(After("UPDATE t SET n = 900 WHERE id = 1; UPDATE t SET v = 'x' WHERE id = 2; "
                  "DELETE FROM t WHERE id = 1"),
            "");
  EXPECT_EQ(New("SELECT string_agg(id || v, ' ' ORDER BY id) FROM t"), "2x 3v3 4v4");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

TEST_F(MissedRowsTest, RowsThatWentOnPurposeAreNotMissed) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kTable, kCopyT, "SELECT"));
  EXPECT_EQ(After("UPDATE t SET v = 'x'; TRUNCATE t; INSERT INTO t VALUES (1, 'new', 1)"), "");
  EXPECT_EQ(After("UPDATE t SET v = 'y' WHERE id = 1; DELETE FROM t WHERE id = 1"), "");
  EXPECT_EQ(After("INSERT INTO t VALUES (2, 'short', 2); DELETE FROM t WHERE id = 2"), "");
}

TEST_F(MissedRowsTest, WhatIsRolledBackIsNotCounted) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kTable, kCopyT, "DELETE FROM t WHERE id = 1"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  options_.batch_rows_max = 2;  // a transaction passes in chunks
  ASSERT_OK(StartReplayer());
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET v = 'x'; INSERT INTO t SELECT i, 'v', i FROM "
            "generate_series(10, 20) i; COMMIT"));
  ASSERT_OK(capture_->DieAfter(6));  // the rest never came: a new epoch sends it again
  EXPECT_OK(CatchUp());
  EXPECT_EQ(New(kMissed), "public.t|public.t|1");
}

TEST_F(MissedRowsTest, ARecopyClearsThem) {
  ASSERT_NO_FATAL_FAILURE(StartAndLose(kTable, kCopyT, "DELETE FROM t WHERE id = 1"));
  EXPECT_EQ(After("UPDATE t SET v = 'x'"), "public.t|public.t|1");
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
            "SELECT name, 'recopy', 'public.t', epoch, lsn, log_offset FROM switchyard.stream"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'y' WHERE id = 1"));  // before the copy: missed once more
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT state FROM switchyard.request", "done"));
  EXPECT_EQ(New(kMissed), "");
  EXPECT_EQ(New("SELECT * FROM t ORDER BY id"), Old("SELECT * FROM t ORDER BY id"));
}

// ---- Columns that came since.

TEST_F(MissedRowsTest, AColumnThatBothSidesGainStopsTheStreamBeforeItsFirstRow) {
  for (const char* mapping :
       {kCopyT, "  - {table: public.t, copy: t, where: id > 0}\n",
        "  - {table: public.t, from: {t: id}, select: 'SELECT * FROM t'}\n"}) {
    ASSERT_OK(Start(kTable, kTable, mapping, kFour));
    ASSERT_OK(CatchUp());
    ASSERT_OK(OnNew("ALTER TABLE t ADD extra int NOT NULL DEFAULT 7"));
    ASSERT_OK(OnOld("ALTER TABLE t ADD extra int NOT NULL DEFAULT 7"));
    ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 5, 2)"));
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_EQ(New("SELECT count(*) FROM t"), "4");
    EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
                HasSubstr("column extra of public.t is new on the source, and public.t has one of "
                          "that name"));
    TearDown();
    SetUp();
  }
}

TEST_F(MissedRowsTest, AColumnThatOldAloneGainsDoesNot) {
  ASSERT_OK(Start(kTable, kTable, kCopyT, kFour));
  ASSERT_OK(OnOld("ALTER TABLE t ADD extra int"));
  EXPECT_EQ(After("INSERT INTO t VALUES (5, 'five', 5, 2)"), "");
  EXPECT_EQ(New("SELECT count(*) FROM t"), "5");
}

}  // namespace
}  // namespace switchyard::replayer
