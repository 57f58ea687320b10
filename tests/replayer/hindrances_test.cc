// NEW's own triggers and rules may leave out or change what is written, without an error: nothing
// of it is committed, and who did it is named, with the way out. Promise 1.20.
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "tests/support/captured_log.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text, n int)";
constexpr char kFour[] = "INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 4) i";
constexpr char kRows[] = "SELECT id, v, n FROM t ORDER BY id";
constexpr char kReason[] = "SELECT stop_reason FROM switchyard.stream";

constexpr char kByRow[] = "  - {table: public.t, copy: t}\n";
constexpr char kByScope[] = "  - {table: public.t, copy: t, where: id > 0}\n";

// A trigger `meddles` of t, WHEN (...) or not: $event, $body.
std::string Trigger(const std::string& event, const std::string& body,
                    const std::string& when = "") {
  return absl::StrCat("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ",
                      body, "; END $$; CREATE TRIGGER meddles BEFORE ", event,
                      " ON t FOR EACH ROW ", when, " EXECUTE FUNCTION meddle();");
}

struct Way {
  const char* name;
  const char* mapping;
  bool replica_role;
  friend void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }
};

class HindrancesTest : public testing::ReplayFixture, public ::testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    ReplayFixture::SetUp();
    options_.target.replica_role = GetParam().replica_role;
  }
  bool by_row() const { return GetParam().mapping == std::string_view(kByRow); }
  // As it fires for what Switchyard writes.
  std::string Fires(const std::string& trigger) const {
    return absl::StrCat(
        trigger, GetParam().replica_role ? "; ALTER TABLE t ENABLE ALWAYS TRIGGER meddles" : "");
  }
  std::string Remedy() const {
    return absl::StrCat("ALTER TABLE \"public\".\"t\" ",
                        GetParam().replica_role ? "ENABLE" : "DISABLE", " TRIGGER \"meddles\"");
  }
  absl::Status StartWith(const std::string& on_new) {
    return Start(kTable, absl::StrCat(kTable, ";", on_new), GetParam().mapping, kFour);
  }
  // `change` is done on OLD and can't be written; with the printed remedy it is.
  void ExpectStopsAt(const std::string& change, const std::string& numbers) {
    const std::string before = New(kRows);
    ASSERT_OK(OnOld(change));
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(New(kReason), HasSubstr(absl::StrCat(
                                  "NEW's public.t does not hold what was written to it: ", numbers,
                                  " rows were left out, kept or changed by its "
                                  "trigger meddles of public.t (BEFORE ")));
    EXPECT_THAT(New(kReason), HasSubstr(Remedy()));
    EXPECT_EQ(New(kRows), before);
    EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_OK(OnNew(Remedy()));
    ASSERT_OK(StartReplayer());
    ASSERT_OK(AwaitState("streaming"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New(kRows), Old(kRows));
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.missed_rows"), "0");
  }
};

TEST_P(HindrancesTest, RowsThatATriggerLeavesOutStopTheStreamBeforeTheyAreMissing) {
  ASSERT_OK(StartWith(Fires(Trigger("INSERT", "RETURN NULL", "WHEN (NEW.id = 5)"))));
  ASSERT_OK(CatchUp());
  ExpectStopsAt("INSERT INTO t VALUES (5, 'five', 5), (6, 'six', 6)", "1 of 2");
}

TEST_P(HindrancesTest, UpdatesThatATriggerDropsStopTheStream) {
  ASSERT_OK(StartWith(Fires(Trigger("UPDATE", "RETURN NULL", "WHEN (NEW.n = 20)"))));
  ASSERT_OK(CatchUp());
  ExpectStopsAt("UPDATE t SET n = 10 * n WHERE id < 4", "1 of 3");
}

TEST_P(HindrancesTest, RowsThatATriggerKeepsStopTheStream) {
  ASSERT_OK(StartWith(Fires(Trigger("DELETE", "RETURN NULL"))));
  ASSERT_OK(CatchUp());
  ExpectStopsAt("DELETE FROM t WHERE id < 3", "2 of 2");
}

TEST_P(HindrancesTest, KeysThatATriggerHoldsFastStopTheStream) {
  ASSERT_OK(StartWith(Fires(Trigger("UPDATE OR DELETE", "RETURN NULL"))));
  ASSERT_OK(CatchUp());
  ExpectStopsAt("UPDATE t SET id = 10 WHERE id = 1", by_row() ? "2 of 2" : "1 of 2");
}

TEST_P(HindrancesTest, ValuesThatATriggerChangesStopTheStream) {
  ASSERT_OK(StartWith(
      Fires(Trigger("INSERT OR UPDATE", "NEW.v = upper(NEW.v); RETURN NEW", "WHEN (NEW.id > 4)"))));
  ASSERT_OK(CatchUp());
  ExpectStopsAt("INSERT INTO t VALUES (5, 'FIVE', 5), (6, 'six', 6)", "1 of 2");
}

TEST_P(HindrancesTest, ATriggerThatComesWhileStreamingIsSeenAtOnce) {
  ASSERT_OK(StartWith("SELECT"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew(Fires(Trigger("INSERT", "RETURN NULL"))));
  ExpectStopsAt("INSERT INTO t VALUES (5, 'five', 5)", "1 of 1");
}

TEST_P(HindrancesTest, OneThatLeavesRowsAsTheyAreStopsNothing) {
  ASSERT_OK(Start(kTable,
                  absl::StrCat("CREATE TABLE t (id int PRIMARY KEY, v text, n int, seen "
                               "timestamptz);",
                               Fires(Trigger("INSERT OR UPDATE OR DELETE",
                                             "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; "
                                             "NEW.seen = now(); RETURN NEW"))),
                  GetParam().mapping, kFour));
  ASSERT_OK(CatchUp());
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO t VALUES (5, 'five', 5); UPDATE t SET v = 'x' WHERE id = 1; "
            "UPDATE t SET id = 20 WHERE id = 2; DELETE FROM t WHERE id = 3; COMMIT"));
  ASSERT_OK(
      OnOld("BEGIN; TRUNCATE t; INSERT INTO t VALUES (3, 'three', 3), (1, 'one', 1); COMMIT"));
  ASSERT_OK(OnOld("BEGIN; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (3, 'new', 4); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
  EXPECT_EQ(New("SELECT count(*) FROM t WHERE seen IS NULL"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.missed_rows"), "0");
}

TEST_P(HindrancesTest, TheCopyStopsAndGoesOnOnceTheWayIsFree) {
  ASSERT_OK(Prepare(
      kTable,
      absl::StrCat(kTable, ";", Fires(Trigger("INSERT", "RETURN NULL", "WHEN (NEW.id = 2)"))),
      GetParam().mapping, kFour));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New(kReason), HasSubstr("does not hold what was written to it: 1 of 4 rows"));
  EXPECT_THAT(New(kReason), HasSubstr(Remedy()));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew(Remedy()));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
}

TEST_P(HindrancesTest, ARecopyThatIsKeptOutFailsAloneAndClearsNothing) {
  may_miss_rows_ = true;
  ASSERT_OK(StartWith("SELECT"));
  ASSERT_OK(CatchUp());
  // Where NEW has a mirror, it is from there that the row is missing.
  ASSERT_OK(
      OnNew(absl::StrCat("DELETE FROM ", by_row() ? "t" : "switchyard_old.t", " WHERE id = 2")));
  ASSERT_OK(OnOld("UPDATE t SET v = 'x' WHERE id = 2"));
  ASSERT_OK(CatchUp());
  ASSERT_EQ(New("SELECT count(*) FROM switchyard.missed_rows"), "1");
  ASSERT_OK(OnNew("DELETE FROM t WHERE id = 2"));
  ASSERT_OK(OnNew(Fires(Trigger("INSERT", "RETURN NULL"))));
  const auto recopy = [&]() -> std::string {
    EXPECT_OK(
        OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
              "SELECT name, 'recopy', 'public.t', epoch, lsn, log_offset FROM switchyard.stream"));
    EXPECT_OK(capture_->Recopy("t"));
    EXPECT_OK(OnOld("UPDATE t SET n = n WHERE id = 4"));
    EXPECT_OK(CatchUp());
    EXPECT_OK(AwaitNew("SELECT count(*) FROM switchyard.request WHERE state = 'open'", "0"));
    return New("SELECT state || ' ' || result FROM switchyard.request ORDER BY id DESC LIMIT 1");
  };
  const std::string failed = recopy();
  EXPECT_THAT(failed, HasSubstr("failed it can't be swapped in, the table is as it was"));
  EXPECT_THAT(failed, HasSubstr("trigger meddles of public.t (BEFORE INSERT, for each row)"));
  EXPECT_THAT(failed, HasSubstr(Remedy()));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.missed_rows"), "1");
  ASSERT_OK(OnNew(Remedy()));
  EXPECT_THAT(recopy(), HasSubstr("done swapped in"));
  EXPECT_EQ(New(kRows), Old(kRows));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.missed_rows"), "0");
}

TEST_P(HindrancesTest, ARetryOfTheQuarantineLosesNothing) {
  ASSERT_OK(StartWith("ALTER TABLE t ADD CHECK (n < 100)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 500)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_n_check"));
  ASSERT_OK(OnNew(Fires(Trigger("INSERT", "RETURN NULL"))));
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument) "
            "SELECT name, 'quarantine_retry', '' FROM switchyard.stream"));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New(kReason), HasSubstr("does not hold what was written to it: 1 of 1 rows"));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew(Remedy()));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitNew("SELECT count(*) FROM switchyard.quarantine", "0"));
  EXPECT_EQ(New(kRows), Old(kRows));
}

TEST_P(HindrancesTest, ARuleIsRefusedBeforeAnythingIsWritten) {
  const std::string rule =
      absl::StrCat("CREATE RULE swallows AS ON INSERT TO t DO INSTEAD NOTHING",
                   GetParam().replica_role ? "; ALTER TABLE t ENABLE ALWAYS RULE swallows" : "");
  const std::string remedy =
      absl::StrCat("ALTER TABLE \"public\".\"t\" ", GetParam().replica_role ? "ENABLE" : "DISABLE",
                   " RULE \"swallows\"");
  ASSERT_OK(StartWith("SELECT"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew(rule));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 5)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New(kReason), HasSubstr("NEW's rule swallows of public.t (ON INSERT) rewrites what "
                                      "Switchyard writes there"));
  EXPECT_THAT(New(kReason), HasSubstr(remedy));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew(remedy));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
}

// Counters, histories, rows of children: whatever a trigger writes into a table of a mapping comes
// besides what the mapping writes there. By whichever kind of trigger, as its function is now.
TEST_P(HindrancesTest, ATriggerThatWritesATableOfAMappingIsRefused) {
  constexpr char kBoth[] =
      "CREATE TABLE t (id int PRIMARY KEY, v text, n int);"
      "CREATE TABLE counts (id int PRIMARY KEY, n int)";
  ASSERT_OK(Start(kBoth, absl::StrCat(kBoth, "; CREATE TABLE history (id int)"),
                  absl::StrCat(GetParam().mapping, "  - {table: public.counts, copy: counts}\n"),
                  absl::StrCat(kFour, "; INSERT INTO counts VALUES (1, 4)")));
  ASSERT_OK(CatchUp());
  const auto function = [](const char* writes) {
    return absl::StrCat(
        "CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "-- UPDATE counts\n",
        writes, "; RETURN NULL; END $$;");
  };
  const testing::CapturedLog said;
  ASSERT_OK(OnNew(Fires(absl::StrCat(
      function("EXECUTE 'INSERT INTO public.history VALUES (1)'"),
      "CREATE TRIGGER meddles AFTER INSERT OR TRUNCATE ON t EXECUTE FUNCTION meddle();"))));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 5)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM history"), "1");
  EXPECT_TRUE(
      said.Has("trigger meddles of public.t (AFTER INSERT OR TRUNCATE, for each statement) "
               "fires for what Switchyard writes, and may write by itself"));
  ASSERT_OK(OnNew(function("UPDATE public.Counts SET n = n + 1")));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (6, 'six', 6)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New(kReason), HasSubstr("(AFTER INSERT OR TRUNCATE, for each statement) writes into "
                                      "public.counts, which Switchyard fills"));
  EXPECT_THAT(New(kReason), HasSubstr(Remedy()));
  EXPECT_EQ(New("SELECT n FROM counts"), "4");
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew(Remedy()));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
  EXPECT_EQ(New("SELECT n FROM counts"), "4");
}

// It was made for NEW's own path, which is set once it is known.
TEST_P(HindrancesTest, ATriggerThatComesWhileStreamingFindsWhatItNames) {
  ASSERT_OK(StartWith("CREATE TABLE history (id int)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew(Fires(Trigger("INSERT", "INSERT INTO history VALUES (NEW.id); RETURN NEW"))));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 5)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT * FROM history"), "5");
  EXPECT_EQ(New(kRows), Old(kRows));
}

// The position that says it is filled would outlive it.
TEST_P(HindrancesTest, ATableThatACrashWouldEmptyIsRefused) {
  ASSERT_OK(StartWith("SELECT"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t SET UNLOGGED"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5, 'five', 5)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New(kReason), HasSubstr("NEW's table public.t is UNLOGGED and empty after a crash"));
  EXPECT_THAT(New(kReason), HasSubstr("ALTER TABLE \"public\".\"t\" SET LOGGED"));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(OnNew("ALTER TABLE t SET LOGGED"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kRows), Old(kRows));
}

INSTANTIATE_TEST_SUITE_P(Each, HindrancesTest,
                         ::testing::Values(Way{"RowLocalReplica", kByRow, true},
                                           Way{"RowLocalOrigin", kByRow, false},
                                           Way{"KeyedReplica", kByScope, true},
                                           Way{"KeyedOrigin", kByScope, false}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace switchyard::replayer
