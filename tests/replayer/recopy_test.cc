// Re-copies of one table against what else happens meanwhile.
#include <string>

#include "common/mapping/install/mirror_types.h"
#include "tests/support/replay_fixture.h"
#include "tests/support/vanishing_topic_log.h"

namespace switchyard::replayer {
namespace {

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text)";
constexpr char kAll[] = "SELECT id, v FROM t ORDER BY id";
constexpr char kLast[] = "SELECT state FROM switchyard.request ORDER BY id DESC LIMIT 1";

class RecopyTest : public testing::ReplayFixture {
 protected:
  void StartTable() {
    ASSERT_OK(Start(kTable, kTable, "  - {table: public.t, copy: t}\n",
                    "INSERT INTO t VALUES (1, 'first'), (2, 'first')"));
    ASSERT_OK(CatchUp());
  }
  void StartLeaves(const std::string& rows) {
    ASSERT_OK(
        Start("CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
              "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000);"
              "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (1000) TO (2000)",
              kTable, "  - {table: public.t, copy: t}\n", rows));
    ASSERT_OK(CatchUp());
    ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
    ASSERT_OK(Ask());
  }
  // What the points of copies say of it.
  void SetTypeOfV(uint32_t type_oid) {
    for (catalog::Table& table : catalog_.tables) {
      for (catalog::Column& column : table.columns) {
        if (column.name == "v") column.type_oid = type_oid;
      }
    }
  }
  void ExpectSwappedIn() {
    ASSERT_OK(CatchUp());
    ASSERT_OK(
        AwaitNew("SELECT state <> 'open' FROM switchyard.request ORDER BY id DESC LIMIT 1", "t"));
    EXPECT_EQ(New(kLast), "done") << New("SELECT result FROM switchyard.request");
    EXPECT_EQ(New(kAll), Old(kAll));
  }
  absl::Status Ask() {
    return OnNew(
        "INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
        "SELECT name, 'recopy', 'public.t', epoch, lsn, log_offset FROM switchyard.stream");
  }
};

// Promise 3: the end of a re-copy and its offset on the copy topic are two commits.
TEST_F(RecopyTest, ACopyThatIsReadAgainIsNotTheOneAskedForNow) {
  StartTable();
  const std::string before = New("SELECT copy_offset FROM switchyard.stream");
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "done"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET copy_offset = " + before));  // never committed
  ASSERT_OK(Ask());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitNew("SELECT copy_offset > " + before + " FROM switchyard.stream", "t"));
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kLast), "open");
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 2"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "done"));
  EXPECT_EQ(New(kAll), Old(kAll));
}

// The primary died; the one that was promoted never had what the copy shows.
TEST_F(RecopyTest, ACopyOfAFormerPrimaryIsNotSwappedIn) {
  StartTable();
  ASSERT_OK_AND_ASSIGN(const Lsn fork,
                       Lsn::Parse(New("SELECT covered_lsn FROM switchyard.stream")));
  ASSERT_OK(Ask());
  ASSERT_OK(OnOld("CREATE TABLE its_last_words ()"));
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(capture_->NewEpoch(fork));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "failed"));
  EXPECT_THAT(New("SELECT result FROM switchyard.request"),
              ::testing::HasSubstr("of the former primary"));
  EXPECT_EQ(New(kAll), Old(kAll));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 1"));
  ExpectSwappedIn();
}

// The stream would have taught it to the mirror's type, but comes later.
TEST_F(RecopyTest, AValueThatAnEnumGainedMayBeMetByTheCopyFirst) {
  ASSERT_OK(Prepare("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, v mood)",
                    kTable, "  - {table: public.t, copy: t, set: {v: v::text}}\n",
                    "INSERT INTO t VALUES (1, 'sad')"));
  options_.learn_values = [&]() -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const auto old_session, server_->Connect("old_db"));
    ASSIGN_OR_RETURN(const auto new_session, server_->Connect("new_db"));
    ASSIGN_OR_RETURN(const catalog::Catalog now,
                     catalog::LoadCatalog(*old_session, catalog::SourceTables(file_.forward), {}));
    return mapping::AddValues(*new_session, plan_.mirror_schema, now);
  };
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("ALTER TYPE mood ADD VALUE 'ok'"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'ok')"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(AwaitNew("SELECT count(*) FROM pg_enum WHERE enumlabel = 'ok'", "1"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'ok' WHERE id = 1"));
  ExpectSwappedIn();
}

// What stands for the tables of a copy in the statements is none of the file's own text.
TEST_F(RecopyTest, TextOfTheFileIsNoPlaceholder) {
  ASSERT_OK(Start(R"(CREATE TABLE "{load}" (id int PRIMARY KEY, v text))", kTable,
                  "  - {table: public.t, copy: \"{load}\", set: {v: \"v || ' {load}'\"}}\n",
                  R"(INSERT INTO "{load}" VALUES (1, 'a'))"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|a {load}");
  ASSERT_OK(OnNew("UPDATE t SET v = 'wrong'"));
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
            "SELECT name, 'recopy', 'public.{load}', epoch, lsn, log_offset FROM "
            "switchyard.stream"));
  ASSERT_OK(capture_->Recopy("{load}"));
  ASSERT_OK(OnOld(R"(INSERT INTO "{load}" VALUES (2, 'b'))"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "done"));
  EXPECT_EQ(New(kAll), "1|a {load}\n2|b {load}");
}

// Row by row, as INSERT ... ON CONFLICT looks at them, every row finds its value taken.
TEST_F(RecopyTest, UniqueValuesPassOnInTheSwap) {
  constexpr char kUnique[] = "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE";
  ASSERT_OK(Start(std::string(kUnique) + ")", std::string(kUnique) + ", note text DEFAULT 'none')",
                  "  - {table: public.t, copy: t}\n",
                  "INSERT INTO t SELECT i, i FROM generate_series(1, 5) i"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(
      OnNew("UPDATE t SET n = -n, note = 'of ' || id; UPDATE t SET n = 1 + -n % 4 WHERE id < 5;"
            "DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (6, 5)"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (7, 7)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT state <> 'open' FROM switchyard.request", "t"));
  EXPECT_EQ(New(kLast), "done") << New("SELECT result FROM switchyard.request");
  EXPECT_EQ(New("SELECT id, n FROM t ORDER BY id"), Old("SELECT id, n FROM t ORDER BY id"));
  EXPECT_EQ(New("SELECT string_agg(note, ', ' ORDER BY id) FROM t"),
            "of 1, of 2, of 3, of 4, none, none");
}

TEST_F(RecopyTest, AColumnIsAddedBetweenTheCopyAndTheSwap) {
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  const std::string before = New("SELECT copy_offset FROM switchyard.stream");
  ASSERT_OK(OnOld("UPDATE t SET v = 'shown' WHERE id = 2"));  // its shape comes on the log here
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET hold_lsn = '" +
                  Old("SELECT pg_current_wal_insert_lsn()") + "'"));
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'narrow' WHERE id = 1"));
  ASSERT_OK(OnOld("ALTER TABLE t ADD COLUMN extra int"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'wide' WHERE id = 2"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitNew("SELECT v FROM t WHERE id = 2", "shown"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(OnNew("UPDATE switchyard.stream SET hold_lsn = NULL, copy_offset = " + before));
  ASSERT_OK(Ask());
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "done"));
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(RecopyTest, ALargeTransactionThatStopsShortAndComesAgainIsRolledForwardOnce) {
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET id = id - 5; INSERT INTO t SELECT i, 'large' FROM "
            "generate_series(10, 50000) i; DELETE FROM t WHERE id BETWEEN 100 AND 120; COMMIT"));
  ASSERT_OK(capture_->DieAfter(45'000));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT state <> 'open' FROM switchyard.request", "t"));
  EXPECT_EQ(New("SELECT state FROM switchyard.request"), "done")
      << New("SELECT result FROM switchyard.request");
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(RecopyTest, AllLeavesBeginAgainThoughTheFirstIsEmpty) {
  StartLeaves("INSERT INTO t VALUES (1001, 'first'), (1002, 'first')");
  ASSERT_OK(capture_->RecopyLeaves({"t1", "t2"}));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1001"));
  ASSERT_OK(capture_->RecopyLeaves({"t1", "t2"}));
  ASSERT_OK(StartReplayer());
  ExpectSwappedIn();
}

TEST_F(RecopyTest, ALeafThatJoinedOthersIsNotTakenForTheTable) {
  StartLeaves("INSERT INTO t VALUES (1, 'first'), (1001, 'first')");
  ASSERT_OK(capture_->Recopy("t2"));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'second')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kLast), "open");
  EXPECT_EQ(New(kAll), Old(kAll));
  ASSERT_OK(capture_->RecopyLeaves({"t1", "t2"}));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (3, 'third')"));
  ExpectSwappedIn();
}

TEST_F(RecopyTest, ALeafThatIsGoneWhenTheOthersBeginAgainIsNotWaitedFor) {
  StartLeaves("INSERT INTO t VALUES (1, 'first'), (1001, 'first')");
  ASSERT_OK(capture_->RecopyLeaves({"t1", "t2"}));
  ASSERT_OK(OnOld("DROP TABLE t2; UPDATE t SET v = 'second'"));
  ASSERT_OK(capture_->RecopyLeaves({"t1"}));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'third')"));
  ASSERT_OK(StartReplayer());
  ExpectSwappedIn();
}

// What is live has all that was on it.
TEST_F(RecopyTest, TheStreamOutlivesTheCopyTopic) {
  StartTable();
  ASSERT_OK(Ask());
  log_->DeleteTopic(options_.copy_topic);
  ASSERT_OK(AwaitNew(kLast, "failed"));
  EXPECT_THAT(New("SELECT result FROM switchyard.request"),
              ::testing::HasSubstr("the copy is lost, the table is as it was"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
  ASSERT_OK(capture_->ReopenCopyTopic(*log_));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 1"));
  ExpectSwappedIn();
}

TEST_F(RecopyTest, TheStreamOutlivesACopyTopicThatGoesWhileItIsOpened) {
  auto log = std::make_unique<testing::VanishingTopicLog>(log_cancel_);
  testing::VanishingTopicLog& vanishing = *log;
  log_ = std::move(log);
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(Ask());
  vanishing.VanishOnce(options_.copy_topic, testing::VanishingTopicLog::Moment::kMade);
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitNew(kLast, "failed"));
  EXPECT_TRUE(vanishing.vanished());
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
}

TEST_F(RecopyTest, ACopyOfAnotherShapeGivesWayToAYoungerOne) {
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(Ask());
  SetTypeOfV(1043);  // varchar: the plan is of after the change
  ASSERT_OK(capture_->Recopy("t"));
  SetTypeOfV(25);
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(StartReplayer());
  ExpectSwappedIn();
}

TEST_F(RecopyTest, ACopyOfAnotherShapeFailsAloneAndOnlyWhileItIsAskedFor) {
  StartTable();
  SetTypeOfV(1043);
  const std::string before = New("SELECT copy_offset FROM switchyard.stream");
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT copy_offset > " + before + " FROM switchyard.stream", "t"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "failed"));
  EXPECT_THAT(New("SELECT result FROM switchyard.request"),
              ::testing::HasSubstr("column v of public.t"));
  EXPECT_EQ(New("SELECT state FROM switchyard.stream"), "streaming");
  EXPECT_EQ(New(kAll), Old(kAll));
}

// One that is under way when another is asked for may be of a shape before.
TEST_F(RecopyTest, ACopyOfBeforeItWasAskedForDoesNotAnswer) {
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  const std::string before = New("SELECT copy_offset FROM switchyard.stream");
  ASSERT_OK(Ask());
  SetTypeOfV(1043);
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(OnNew("UPDATE switchyard.request SET source_lsn = '" +
                  Old("SELECT pg_current_wal_insert_lsn()") + "'"));
  SetTypeOfV(25);
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT copy_offset > " + before + " FROM switchyard.stream", "t"));
  EXPECT_EQ(New(kLast), "open");
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 2"));
  ExpectSwappedIn();
}

// NEW may be given what no statement of ours foresees: a trigger stands for it.
TEST_F(RecopyTest, WhatKeepsACopyFromBeingSwappedInStopsNothing) {
  StartTable();
  ASSERT_OK(
      OnNew("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = 'not today'; END $$;"
            "CREATE TRIGGER no BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no();"
            "ALTER TABLE t ENABLE ALWAYS TRIGGER no; INSERT INTO t VALUES (9, 'stray')"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'second' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew(kLast, "failed"));
  EXPECT_THAT(New("SELECT result FROM switchyard.request"),
              ::testing::HasSubstr("(SQLSTATE 0A000)"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'third' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT v FROM t WHERE id = 1"), "third");
  EXPECT_EQ(New("SELECT state FROM switchyard.stream"), "streaming");
  ASSERT_OK(OnNew("DROP TRIGGER no ON t"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'fourth' WHERE id = 1"));
  ExpectSwappedIn();
}

// As WITHOUT OVERLAPS is one, ON CONFLICT can't name it.
TEST_F(RecopyTest, AKeyThatOnConflictCanNotNameIsSwappedIn) {
  StartTable();
  ASSERT_OK(
      OnNew("ALTER TABLE t ADD note text DEFAULT 'kept'; UPDATE t SET v = 'wrong', note = "
            "'mine' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (9, '');"
            "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD EXCLUDE USING btree (id WITH =)"));
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (3, 'third')"));
  ExpectSwappedIn();
  EXPECT_EQ(New("SELECT note FROM t ORDER BY id"), "mine\nkept\nkept");
}

TEST_F(RecopyTest, KeysThatTradePlacesMeanwhileAreRolledForward) {
  StartTable();
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(Ask());
  ASSERT_OK(capture_->Recopy("t"));
  ASSERT_OK(OnOld("UPDATE t SET id = -1 WHERE id = 1"));
  ASSERT_OK(OnOld("UPDATE t SET id = 1 WHERE id = 2"));
  ASSERT_OK(OnOld("UPDATE t SET id = 2, v = 'second' WHERE id = -1"));
  ASSERT_OK(StartReplayer());
  ExpectSwappedIn();
}

}  // namespace
}  // namespace switchyard::replayer
