// What a capture makes of the changes of a live source.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "capture/capture.h"
#include "common/base/strings.h"
#include "common/records/mark.h"
#include "tests/capture/capture_fixture.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using event::v1::Row;
using ::switchyard::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CaptureChangesTest : public testing::CaptureTest {
 protected:
  // The row events of a table, in order.
  std::vector<Row> RowsOf(const std::string& table) {
    std::vector<Row> rows;
    std::set<uint32_t> ids;
    for (const Event& event : Changes()) {
      if (event.has_relation() && event.relation().name() == table) {
        ids.insert(event.relation().relation_id());
      }
      if (event.has_row() && ids.contains(event.row().relation_id())) rows.push_back(event.row());
    }
    return rows;
  }
  event::v1::Relation RelationOf(const std::string& table) {
    event::v1::Relation found;
    for (const Event& event : Changes()) {
      if (event.has_relation() && event.relation().name() == table) found = event.relation();
    }
    EXPECT_EQ(found.name(), table);
    return found;
  }
};

TEST_F(CaptureChangesTest, CopiesAndStreamsATable) {
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY, a text);"
      "INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i");
  Run("INSERT INTO t VALUES (2000, 'new'), (2001, NULL)");
  Run("UPDATE t SET a = 'changed' WHERE id < 10; DELETE FROM t WHERE id = 500");
  Run("UPDATE t SET id = 3000 WHERE id = 3");
  ExpectReplicaEqualsSource();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("shut down")));
  const std::vector<Event> changes = Changes();
  ASSERT_TRUE(changes[0].has_hello());
  EXPECT_EQ(changes[0].hello().slot(), options().stream.slot);
  EXPECT_EQ(changes[0].hello().database(), database_);
  EXPECT_EQ(changes[0].hello().server_version(), static_cast<uint32_t>(owner_->server_version()));
  EXPECT_EQ(absl::StrCat(changes[0].hello().system_identifier()),
            Scalar("SELECT system_identifier FROM pg_control_system()"));
}

TEST_F(CaptureChangesTest, EveryTransactionCarriesItsOriginXidAndTime) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  Run("SELECT pg_replication_origin_create('elsewhere')");
  Run("BEGIN; INSERT INTO t VALUES (1); COMMIT");
  Run("SELECT pg_replication_origin_session_setup('elsewhere')");
  Run("BEGIN; SELECT pg_replication_origin_xact_setup('0/77', now()); INSERT INTO t VALUES (2); "
      "COMMIT");
  Run("SELECT pg_replication_origin_session_reset()");
  const std::string xid = Scalar("INSERT INTO t VALUES (3) RETURNING pg_current_xact_id()::xid");
  ExpectReplicaEqualsSource();
  const auto transactions = Replica().transactions();
  ASSERT_GE(transactions.size(), 3u);
  EXPECT_EQ(transactions[0].origin(), "");
  EXPECT_EQ(transactions[1].origin(), "elsewhere");
  EXPECT_EQ(transactions[1].origin_lsn(), 0x77u);
  EXPECT_EQ(transactions[2].origin(), "");
  EXPECT_EQ(absl::StrCat(transactions[2].xid()), xid);
  EXPECT_NEAR(static_cast<double>(transactions[2].commit_time_us()),
              static_cast<double>(absl::ToUnixMicros(absl::Now())), 60e6);
}

// As the writers of the other direction do it.
TEST_F(CaptureChangesTest, TellsWhatSwitchyardWroteItself) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  const auto write = [&](const std::string& stream, const std::string& before,
                         const std::string& after) {
    records::Gate gate(*owner_, stream);
    ASSERT_OK(gate.Claim({records::kApplies, records::LaneWriter(1)}));
    ASSERT_OK(owner_->InTransaction([&]() -> absl::Status {
      RETURN_IF_ERROR(owner_->Execute(before));
      RETURN_IF_ERROR(gate.Pass(records::LaneWriter(1)));
      return owner_->Execute(after);
    }));
  };
  const std::string back =
      records::StreamNamed("shop_" + database_, records::Direction::kReverse).name;
  write(back, "", "SAVEPOINT s; INSERT INTO t VALUES (1); RELEASE s");
  write(back, "INSERT INTO t VALUES (2)", "");
  write("other.reverse", "", "INSERT INTO t VALUES (3)");
  write(back, "", "");
  Run("BEGIN; UPDATE switchyard.mark SET xid = xid; INSERT INTO t VALUES (4); COMMIT");
  Run("CREATE TABLE kept AS SELECT * FROM switchyard.mark; DELETE FROM switchyard.mark");
  Run("BEGIN; INSERT INTO switchyard.mark SELECT * FROM kept; INSERT INTO t VALUES (5); COMMIT");
  Run("INSERT INTO t VALUES (6)");
  std::string writer;
  std::vector<std::string> marked_by;  // the transactions of the rows
  testing::LogFollower follower(*log_, options().stream.change_topic);
  ASSERT_TRUE(follower.ReadUntil([&](const Event& event) {
    if (event.has_begin()) writer = event.begin().marked_by();
    if (event.has_row()) marked_by.push_back(writer);
    EXPECT_NE(event.relation().name(), "mark");
    return marked_by.size() == 6;
  }));
  EXPECT_THAT(marked_by, ElementsAre("copy lane 1", "", "", "", "", ""));
}

TEST_F(CaptureChangesTest, Truncates) {
  tables_ = {{"", "t"}, {"", "child"}, {"", "m"}};
  Begin(R"(
    CREATE TABLE t (id serial PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY REFERENCES t);
    CREATE TABLE m (day int PRIMARY KEY) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);
    CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (2) TO (3))");
  Run("INSERT INTO t DEFAULT VALUES; INSERT INTO child VALUES (1); INSERT INTO m VALUES (1), (2)");
  ExpectReplicaEqualsSource();
  Run("TRUNCATE t RESTART IDENTITY CASCADE");
  Run("TRUNCATE m_1");  // one leaf: the rows of the other stay
  ExpectReplicaEqualsSource();
  std::vector<event::v1::Truncate> truncates;
  for (const Event& event : Changes()) {
    if (event.has_truncate()) truncates.push_back(event.truncate());
  }
  ASSERT_THAT(truncates, SizeIs(2));
  EXPECT_THAT(truncates[0].relation_ids(), SizeIs(2));
  EXPECT_TRUE(truncates[0].restart_identity());
  EXPECT_THAT(truncates[1].relation_ids(), SizeIs(1));
}

TEST_F(CaptureChangesTest, UnchangedToastIsAbsentAndFilledUnderFullIdentity) {
  tables_ = {{"", "t"}, {"", "whole"}};
  Begin(R"(
    CREATE TABLE t (id int PRIMARY KEY, n int, big text);
    CREATE TABLE whole (id int PRIMARY KEY, n int, big text);
    ALTER TABLE whole REPLICA IDENTITY FULL)");
  for (const std::string table : {"t", "whole"}) {
    Run("ALTER TABLE " + table + " ALTER big SET STORAGE EXTERNAL");
    Run("INSERT INTO " + table + " VALUES (1, 1, repeat('x', 100000))");
    Run("UPDATE " + table + " SET n = 2");
    Run("UPDATE " + table + " SET big = NULL");
  }
  ExpectReplicaEqualsSource();
  const std::vector<Row> rows = RowsOf("t");
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[0].new_tuple().kinds(), "ttt");
  EXPECT_EQ(rows[1].new_tuple().kinds(), "ttu");
  EXPECT_EQ(rows[2].new_tuple().kinds(), "ttn");
  const std::vector<Row> whole = RowsOf("whole");
  ASSERT_THAT(whole, SizeIs(3));
  EXPECT_EQ(whole[1].new_tuple().kinds(), "ttt");
  EXPECT_EQ(whole[1].new_tuple().values(2), std::string(100'000, 'x'));
  EXPECT_EQ(whole[1].old_tuple().kinds(), "ttt");
}

TEST_F(CaptureChangesTest, EveryReplicaIdentity) {
  tables_ = {{"", "by_key"}, {"", "by_index"}, {"", "whole"}};
  Begin(R"(
    CREATE TABLE by_key (region text, id int, a text, PRIMARY KEY (id, region));
    CREATE TABLE by_index (id int PRIMARY KEY, other int NOT NULL UNIQUE, a text);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_other_key;
    CREATE TABLE whole (a int, b text);
    ALTER TABLE whole REPLICA IDENTITY FULL)");
  Run("INSERT INTO by_key VALUES ('eu', 1, 'a'), ('us', 1, 'b');"
      "UPDATE by_key SET a = 'c' WHERE region = 'eu';"
      "UPDATE by_key SET id = 2 WHERE region = 'us'; DELETE FROM by_key WHERE region = 'eu'");
  Run("INSERT INTO by_index VALUES (1, 10, 'a'), (2, 20, 'b');"
      "UPDATE by_index SET other = 30 WHERE id = 1; UPDATE by_index SET id = 5 WHERE other = 20;"
      "DELETE FROM by_index WHERE other = 30");
  Run("INSERT INTO whole VALUES (1, NULL), (1, NULL), (2, 'x');"
      "UPDATE whole SET b = 'y' WHERE a = 2; DELETE FROM whole WHERE ctid = '(0,1)'");
  ExpectReplicaEqualsSource();
  EXPECT_EQ(RelationOf("by_key").replica_identity(), event::v1::REPLICA_IDENTITY_DEFAULT);
  EXPECT_EQ(RelationOf("by_index").replica_identity(), event::v1::REPLICA_IDENTITY_INDEX);
  EXPECT_EQ(RelationOf("whole").replica_identity(), event::v1::REPLICA_IDENTITY_FULL);
  const std::vector<Row> rows = RowsOf("by_key");
  ASSERT_THAT(rows, SizeIs(5));
  EXPECT_FALSE(rows[2].has_old_tuple());
  EXPECT_TRUE(rows[3].old_is_key());
  EXPECT_EQ(rows[3].old_tuple().kinds(), "ttn");
  EXPECT_EQ(rows[3].old_tuple().values(1), "1");
  EXPECT_FALSE(RowsOf("whole")[3].old_is_key());
}

TEST_F(CaptureChangesTest, PartitionsReportTheirRoot) {
  tables_ = {{"Sales", "m"}};
  Begin(R"(
    CREATE SCHEMA "Sales";
    CREATE TABLE "Sales".m (day int, x text, PRIMARY KEY (day)) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF "Sales".m FOR VALUES FROM (1) TO (10) PARTITION BY RANGE (day);
    CREATE TABLE m_1a PARTITION OF m_1 FOR VALUES FROM (1) TO (5);
    CREATE TABLE m_1b PARTITION OF m_1 FOR VALUES FROM (5) TO (10);
    INSERT INTO "Sales".m VALUES (1, 'a'), (6, 'b'))");
  Run(R"(UPDATE "Sales".m SET day = 7 WHERE day = 1)");  // moves to another leaf
  Run(R"(CREATE TABLE m_2 PARTITION OF "Sales".m FOR VALUES FROM (10) TO (20))");
  Run(R"(INSERT INTO "Sales".m VALUES (10, 'c'); UPDATE "Sales".m SET x = 'd' WHERE day = 6)");
  ExpectReplicaEqualsSource();
  for (const char* leaf : {"m_1a", "m_1b", "m_2"}) {
    const event::v1::Relation relation = RelationOf(leaf);
    EXPECT_EQ(relation.schema(), "public");
    EXPECT_EQ(relation.root_schema(), "Sales");
    EXPECT_EQ(relation.root_name(), "m");
    EXPECT_EQ(absl::StrCat(relation.root_relation_id()),
              Scalar(R"(SELECT '"Sales".m'::regclass::oid)"));
  }
  EXPECT_EQ(Scalar("SELECT count(*) FROM switchyard.capture_suspect"), "0");
}

TEST_F(CaptureChangesTest, GeneratedColumnsStayOutIdentityColumnsDoNot) {
  const bool has_virtual = owner_->server_version() >= 180000;
  Begin(absl::StrCat("CREATE TABLE t (twice int GENERATED ALWAYS AS (n * 2) STORED, ",
                     has_virtual ? "thrice int GENERATED ALWAYS AS (n * 3) VIRTUAL, " : "",
                     "n int, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);"
                     "INSERT INTO t (n) VALUES (1)"));
  Run("INSERT INTO t (n) VALUES (2); UPDATE t SET n = 3 WHERE id = 1");
  ExpectReplicaEqualsSource();
  const event::v1::Relation relation = RelationOf("t");
  ASSERT_EQ(relation.columns_size(), 2);
  EXPECT_EQ(relation.columns(0).name(), "n");
  EXPECT_EQ(relation.columns(1).name(), "id");
  EXPECT_TRUE(relation.columns(1).in_identity());
}

TEST_F(CaptureChangesTest, NamesOfAnyCharactersAndFullLength) {
  const std::string name = "It's \"the\" longest näme, \\ and all: " + std::string(26, 'x');
  ASSERT_EQ(name.size(), 63u);
  const std::string quoted = QuoteIdentifier(name);
  tables_ = {{name, name}};
  Begin(absl::StrCat("CREATE SCHEMA ", quoted, "; CREATE TABLE ", quoted, ".", quoted, " (", quoted,
                     " int PRIMARY KEY, \"%d {} $1\" text); INSERT INTO ", quoted, ".", quoted,
                     " VALUES (1, 'a')"));
  Run(absl::StrCat("INSERT INTO ", quoted, ".", quoted, " VALUES (2, NULL)"));
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureChangesTest, TablesWithoutRowsOrColumns) {
  tables_ = {{"", "empty"}, {"", "bare"}};
  Begin(R"(
    CREATE TABLE empty (id int PRIMARY KEY);
    CREATE TABLE bare ();
    ALTER TABLE bare REPLICA IDENTITY FULL;
    INSERT INTO bare DEFAULT VALUES)");
  Run("INSERT INTO bare DEFAULT VALUES");
  ExpectReplicaEqualsSource();
  EXPECT_THAT(Replica().Rows("public", "empty"), IsEmpty());
  EXPECT_THAT(Replica().Rows("public", "bare"), SizeIs(2));
}

TEST_F(CaptureChangesTest, ColumnsAddedAndDroppedWhileStreaming) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a text)");
  Run("INSERT INTO t VALUES (1, 'a')");
  Run("ALTER TABLE t ADD COLUMN b int");
  Run("INSERT INTO t VALUES (2, 'b', 7)");
  Run("BEGIN; ALTER TABLE t DROP COLUMN a; INSERT INTO t VALUES (3, 8); COMMIT");
  Run("ALTER TABLE t RENAME COLUMN b TO c; INSERT INTO t VALUES (4, 9)");
  AwaitCaughtUp();
  std::vector<std::string> columns;  // as described before each row
  std::string latest;
  for (const Event& event : Changes()) {
    if (event.has_relation()) {
      latest.clear();
      for (const auto& column : event.relation().columns()) latest += column.name() + " ";
    }
    if (event.has_row()) columns.push_back(latest);
  }
  EXPECT_THAT(columns, ElementsAre("id a ", "id a b ", "id b ", "id c "));
}

TEST_F(CaptureChangesTest, TextFormsAreTheSameInCopyAndStream) {
  const std::string row = R"((1, 'NaN'::float8, '-0'::float4, 1e300, 0.1, '12.50'::numeric,
    '2024-02-29 24:00:00+05:30'::timestamptz, '0044-03-15 BC'::date, 'infinity'::timestamp,
    '1 year 2 mons -3 days 04:05:06.789'::interval, '\xdeadbeef'::bytea, '12.34'::money,
    E'tab\t newline\n backslash\\ quote" ''', '', ARRAY[[1,2],[3,NULL]], '{"a": [1, 2.50]}'::json,
    '<a>&amp;</a>'::xml, '[1,5)'::int4range, B'0101', true))";
  Begin(R"(CREATE TABLE t (id int PRIMARY KEY, f8 float8, f4 float4, big float8, small float8,
    n numeric, tz timestamptz, d date, ts timestamp, i interval, b bytea, m money, s text, e text,
    arr int[], j json, x xml, r int4range, bits bit varying, flag bool);
    INSERT INTO t VALUES )" +
        row);
  AwaitCopied();
  Run("INSERT INTO t VALUES " + std::string(row).replace(1, 1, "2"));
  ExpectReplicaEqualsSource();
  const auto rows = Replica().Rows("public", "t");
  ASSERT_THAT(rows, SizeIs(2));
  testing::RowValues copied = *rows.begin();
  testing::RowValues streamed = *std::next(rows.begin());
  copied.erase("id");
  streamed.erase("id");
  EXPECT_EQ(copied, streamed);
}

// Promise 1: the slot is never acknowledged ahead of what the log holds durably.
TEST_F(CaptureChangesTest, AcknowledgesNothingThatTheLogMayStillLose) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  AwaitCopied();
  AwaitCaughtUp();
  memory_->HoldDurability();
  const std::string slot =
      "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" +
      options().stream.slot + "'";
  const std::string before = Scalar("SELECT pg_current_wal_lsn()");
  Run("INSERT INTO t SELECT generate_series(1, 100)");
  const std::string after = Scalar("SELECT pg_current_wal_lsn()");
  ASSERT_OK_AND_ASSIGN(const Lsn target, Lsn::Parse(after));
  ASSERT_TRUE(running_->Await([&](const CaptureStats& stats) { return stats.received >= target; }));
  // Several answers to the server later (they come at least once a second) the slot stands still.
  const std::string reply = "SELECT count(*) FROM pg_stat_replication WHERE reply_time > '" +
                            Scalar("SELECT clock_timestamp() + interval '1100 ms'") + "'";
  AwaitScalar(reply, "1");
  ASSERT_OK_AND_ASSIGN(const Lsn held, Lsn::Parse(Scalar(slot)));
  EXPECT_LE(held, target);
  EXPECT_LT(running_->stats().confirmed, target);
  EXPECT_EQ(Scalar("SELECT '" + Scalar(slot) + "'::pg_lsn <= '" + before + "'::pg_lsn"), "t");
  memory_->ReleaseDurability();
  ASSERT_TRUE(
      running_->Await([&](const CaptureStats& stats) { return stats.confirmed >= target; }));
  AwaitScalar("SELECT confirmed_flush_lsn >= '" + after +
                  "' FROM pg_replication_slots WHERE slot_name = '" + options().stream.slot + "'",
              "t");
}

TEST_F(CaptureChangesTest, AnIdleDatabaseAdvancesItsSlot) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  AwaitCopied();
  // Nothing happens in the captured tables; the cluster writes all the same.
  Run("CREATE TABLE elsewhere AS SELECT generate_series(1, 10000) AS i");
  const std::string goal = Scalar("SELECT pg_current_wal_lsn()");
  AwaitScalar("SELECT confirmed_flush_lsn >= '" + goal +
                  "' FROM pg_replication_slots WHERE slot_name = '" + options().stream.slot + "'",
              "t");
  testing::LogFollower follower(*log_, options().stream.change_topic);
  EXPECT_TRUE(follower.ReadUntil([](const Event& event) { return event.has_heartbeat(); }));
}

TEST_F(CaptureChangesTest, ALargeTransactionPassesWhole) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a text)");
  Run("BEGIN; INSERT INTO t SELECT i, repeat('x', 50) FROM generate_series(1, 10000) i;"
      "UPDATE t SET a = 'y'; COMMIT");
  Run("INSERT INTO t VALUES (0, repeat('z', 20000000))");
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureChangesTest, SubtransactionsRolledBackLeaveNoTrace) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  Run("BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; INSERT INTO t VALUES (2); ROLLBACK TO a;"
      "INSERT INTO t VALUES (3); COMMIT");
  Run("BEGIN; INSERT INTO t VALUES (4); ROLLBACK");
  Run("BEGIN; INSERT INTO t VALUES (5); PREPARE TRANSACTION 'two'");
  Run("COMMIT PREPARED 'two'");
  ExpectReplicaEqualsSource();
  EXPECT_THAT(RowsOf("t"), SizeIs(3));
}

}  // namespace
}  // namespace switchyard::capture
