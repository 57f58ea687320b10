// Tables of every shape from OLD into NEW, through the program: the copy, then the stream. Most
// selects leave their rules to be derived.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;

class TableShapesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = MiniPostgres::Start();
    ASSERT_OK(started);
    server_ = started->release();
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    ASSERT_OK(server_->CreateDatabase("old_db"));
    ASSERT_OK(server_->CreateDatabase("new_db"));
    ASSERT_OK_AND_ASSIGN(old_, server_->Connect("old_db"));
    ASSERT_OK_AND_ASSIGN(new_, server_->Connect("new_db"));
  }
  void TearDown() override {
    if (pipeline_ != nullptr) {
      EXPECT_OK(pipeline_->Stop());
      if (HasFailure()) std::cout << pipeline_->Log("run") << std::endl;
    }
    pipeline_.reset();
    const Cancel never;
    EXPECT_OK(Await("the slot is free", absl::Seconds(20), [&]() -> absl::StatusOr<bool> {
      return old_->Execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
          .ok();
    }));
    old_.reset();
    new_.reset();
    for (const char* name : {"old_db", "new_db"}) {
      EXPECT_OK(server_->Execute("postgres", absl::StrCat("DROP DATABASE ", name, " (FORCE)")));
    }
  }

  void Write(const std::string& forward) {
    std::ofstream(file_) << "migration: shapes\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
                            "capture: {heartbeat: 200ms}\nforward:\n"
                         << forward;
  }
  // The tables are alike on both sides, but for `new_only`.
  void Start(const std::string& schema, const std::string& rows, const std::string& forward,
             const std::string& new_only = "") {
    ASSERT_OK(old_->Execute(absl::StrCat(schema, ";", rows)));
    ASSERT_OK(new_->Execute(absl::StrCat(schema, ";", new_only)));
    Write(forward);
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = server_->dsn("old_db"),
                                                             .new_dsn = server_->dsn("new_db"),
                                                             .stream = "shapes.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Prepare());
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }

  // After `sql` on OLD both sides answer the same.
  void ExpectSame(const std::string& sql, const std::string& query) {
    if (HasFatalFailure()) return;
    ASSERT_OK(old_->Execute(sql)) << sql;
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(All(*new_, query), All(*old_, query)) << "after " << sql;
    EXPECT_EQ(All(*new_, "SELECT target, scope, error FROM switchyard.quarantine"), "");
  }

  // `sql` on OLD stops the stream; its program is ended.
  void StopsAt(const std::string& sql) {
    ASSERT_OK(old_->Execute(sql));
    ASSERT_OK(Await("the stream stopped", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      return All(*new_, "SELECT state FROM switchyard.stream") == "stopped";
    }));
    EXPECT_THAT(All(*new_, "SELECT stop_reason FROM switchyard.stream"),
                HasSubstr("a partition of public.p was truncated"));
    ASSERT_OK_AND_ASSIGN(const int code, pipeline_->process("run")->Terminate());
    EXPECT_EQ(code, 1);
    pipeline_->Kill("run");
  }

  static std::string All(pg::Session& session, const std::string& sql) {
    const absl::StatusOr<pg::Result> rows = session.Query(sql);
    if (!rows.ok()) return "error: " + std::string(rows.status().message());
    std::vector<std::string> lines;
    for (int i = 0; i < rows->rows(); ++i) {
      std::string& line = lines.emplace_back();
      for (int c = 0; c < rows->columns(); ++c) {
        absl::StrAppend(&line, c > 0 ? "|" : "", rows->is_null(i, c) ? "NULL" : rows->str(i, c));
      }
    }
    return absl::StrJoin(lines, "\n");
  }

  static MiniPostgres* server_;
  const TempDir folder_;
  const std::string file_ = folder_.path() + "/shapes.yaml";
  std::unique_ptr<pg::Session> old_;
  std::unique_ptr<pg::Session> new_;
  std::unique_ptr<Pipeline> pipeline_;
};

MiniPostgres* TableShapesTest::server_ = nullptr;

// Leaves of other column orders, below each other, and one born while its rows stream.
TEST_F(TableShapesTest, PartitionsArriveThroughTheirRoot) {
  constexpr char kPartitions[] =
      "CREATE TABLE p (id int, at int NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE "
      "(at);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE p2 (v text, gone int, at int NOT NULL, id int NOT NULL);"
      "ALTER TABLE p2 DROP COLUMN gone;"
      "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200);"
      "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300) PARTITION BY LIST (id);"
      "CREATE TABLE p3a PARTITION OF p3 DEFAULT";
  Start(kPartitions, "INSERT INTO p SELECT i, i * 10, 'v' || i FROM generate_series(1, 29) i",
        "  - {table: public.p, copy: p}\n"
        "  - table: public.by_age\n    scope: century\n"
        "    select: |\n"
        "      SELECT at / 100 AS century, count(*) AS n, max(v) AS v FROM p GROUP BY 1\n",
        "CREATE TABLE by_age (century int PRIMARY KEY, n bigint, v text)");
  const std::string all = "SELECT tableoid::regclass, * FROM p ORDER BY id";
  ExpectSame(
      "INSERT INTO p VALUES (31, 31, 'x'), (32, 132, 'y'), (33, 233, 'z');"
      "UPDATE p SET v = v || '!' WHERE id % 3 = 0; DELETE FROM p WHERE id % 7 = 0",
      all);
  ExpectSame("UPDATE p SET at = (at + 100) % 300 WHERE id % 2 = 0", all);  // to another leaf
  ASSERT_OK(new_->Execute("CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (300) TO (400)"));
  ExpectSame(
      "CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (300) TO (400);"
      "INSERT INTO p VALUES (40, 340, 'born'); UPDATE p SET at = 350 WHERE id = 31",
      all);
  EXPECT_EQ(All(*new_, "SELECT * FROM by_age ORDER BY 1"),
            All(*old_, "SELECT at / 100, count(*), max(v) FROM p GROUP BY 1 ORDER BY 1"));
  // The partition that the plan does not know is copied again with the others.
  ASSERT_OK(new_->Execute("DELETE FROM p WHERE id = 33; UPDATE p SET v = 'wrong' WHERE id = 40"));
  const auto recopy =
      RunSwitchyard({"recopy", file_, "p", "--wait", "60s"}, pipeline_->environment());
  ASSERT_OK(recopy);
  EXPECT_EQ(recopy->exit_code, 0) << recopy->output;
  ExpectSame("UPDATE p SET v = v || '?' WHERE id = 40", all);
  ExpectSame("BEGIN; TRUNCATE p; INSERT INTO p VALUES (1, 1, 'after'); COMMIT", all);
  EXPECT_EQ(All(*new_, "SELECT * FROM by_age"), "0|1|after");
}

TEST_F(TableShapesTest, APartitionMappedAloneCanBeCopiedAgain) {
  Start(
      "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)",
      "INSERT INTO p SELECT i, 'v' || i FROM generate_series(1, 199) i",
      "  - {table: public.p1, copy: p1}\n");
  ASSERT_OK(new_->Execute("DELETE FROM p1 WHERE id = 33; UPDATE p1 SET v = 'wrong' WHERE id = 40"));
  const auto recopy =
      RunSwitchyard({"recopy", file_, "p1", "--wait", "60s"}, pipeline_->environment());
  ASSERT_OK(recopy);
  EXPECT_EQ(recopy->exit_code, 0) << recopy->output;
  ExpectSame("UPDATE p SET v = v || '?' WHERE id IN (40, 140)", "SELECT * FROM p1 ORDER BY id");
}

// Which rows went can't be told from the log: the stream stops, and a re-copy gets past it.
TEST_F(TableShapesTest, APartitionThatWasTruncatedIsCopiedAgainWithItsTable) {
  constexpr char kPartitions[] =
      "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);"
      "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300);"
      "CREATE TABLE q (id int PRIMARY KEY, v text)";
  Start(kPartitions, "INSERT INTO p SELECT i, 'v' || i FROM generate_series(1, 299) i",
        "  - {table: public.p, copy: p}\n  - {table: public.q, copy: q}\n"
        "  - table: public.by_hundred\n    scope: hundred\n    from: {p: id / 100}\n"
        "    select: |\n"
        "      SELECT id / 100 AS hundred, count(*) AS n, max(v) AS v FROM p GROUP BY 1\n",
        "CREATE TABLE by_hundred (hundred int PRIMARY KEY, n bigint, v text)");
  // Keys that were there come again; the partition may go for good before it is copied.
  ASSERT_NO_FATAL_FAILURE(
      StopsAt("TRUNCATE p1; INSERT INTO p VALUES (5, 'again');"
              "INSERT INTO q VALUES (1, 'q')"));
  ASSERT_OK(old_->Execute("TRUNCATE p3; UPDATE p SET v = 'w' WHERE id = 150; DROP TABLE p3"));
  const auto recopy = RunSwitchyard({"recopy", file_, "public.p"}, pipeline_->environment());
  ASSERT_OK(recopy);
  EXPECT_EQ(recopy->exit_code, 0) << recopy->output;
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(Await("it goes on", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return All(*new_, "SELECT state FROM switchyard.stream") != "stopped";
  }));
  const std::string all =
      "SELECT 'p', id, v FROM p UNION ALL SELECT 'q', id, v FROM q ORDER BY 1, 2";
  ExpectSame("INSERT INTO p VALUES (6, 'later'); UPDATE p SET v = 'x' WHERE id = 151", all);
  EXPECT_EQ(All(*new_, "SELECT * FROM by_hundred ORDER BY 1"),
            All(*old_, "SELECT id / 100, count(*), max(v) FROM p GROUP BY 1 ORDER BY 1"));
  EXPECT_EQ(All(*new_, "SELECT kind, state FROM switchyard.request ORDER BY id"),
            "in_doubt|done\nrecopy|done");
  ExpectSame("UPDATE p SET v = 'y' WHERE id = 5; DELETE FROM p WHERE id = 6", all);
  // The partition that the copy did not find need not be emptied.
  ExpectSame("TRUNCATE p; INSERT INTO p VALUES (7, 'after')", all);
  EXPECT_THAT(pipeline_->Log("run"), ::testing::Not(HasSubstr("starting over")));
}

TEST_F(TableShapesTest, NamesMayBeOfAnyCharactersAndFullLength) {
  const std::string table = R"("Odd ""Schema."."T ""q"" )" + std::string(57, 't') + "\"";
  const std::string column = "\"Ünï, 'c' " + std::string(52, 'c') + "\"";  // 63 bytes, both
  Start(absl::StrCat(R"(CREATE SCHEMA "Odd ""Schema."; CREATE TABLE )", table,
                     R"( ("User" int PRIMARY KEY, )", column,
                     R"( text, "order" int, sy_op text, "a.b" text[]))"),
        absl::StrCat("INSERT INTO ", table,
                     " VALUES (1, 'copied', 1, 'x', '{a}'), (2, NULL, 2, '', NULL)"),
        absl::StrCat("  aliases: {\"t t\": '", table, "'}\n  tables:\n  - {table: '", table,
                     "', copy: t t}\n  - table: public.\"Grouped\"\n    scope: c\n    select: |\n"
                     "      SELECT coalesce(",
                     column, ", 'none') AS c, sum(\"order\") AS \"Sum\" FROM \"t t\" GROUP BY 1\n"),
        "CREATE TABLE \"Grouped\" (c text PRIMARY KEY, \"Sum\" bigint)");
  const std::string all = absl::StrCat("SELECT * FROM ", table, " ORDER BY 1");
  ExpectSame(absl::StrCat("INSERT INTO ", table, " VALUES (3, 'new', 3, NULL, '{}'); UPDATE ",
                          table, " SET ", column, " = 'copied', \"User\" = -2 WHERE \"User\" = 2"),
             all);
  EXPECT_EQ(All(*new_, "SELECT * FROM \"Grouped\" ORDER BY 1"), "copied|3\nnew|3");
  ExpectSame(absl::StrCat("DELETE FROM ", table, " WHERE \"order\" = 1"), all);
}

TEST_F(TableShapesTest, EveryReplicaIdentityServes) {
  Start(
      "CREATE TABLE by_key (a int, b text, v text, PRIMARY KEY (b, a));"
      "CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL, v text);"
      "CREATE UNIQUE INDEX by_code ON by_index (code);"
      "CREATE TABLE by_row (id int PRIMARY KEY, v text, j json, p point);"
      "CREATE TABLE by_row_alone (code text NOT NULL UNIQUE, v text)",
      "ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;"
      "ALTER TABLE by_row REPLICA IDENTITY FULL;"
      "ALTER TABLE by_row_alone REPLICA IDENTITY FULL;"
      "ALTER TABLE by_row ALTER v SET STORAGE EXTERNAL;"
      "INSERT INTO by_key SELECT i, i, 'v' FROM generate_series(1, 9) i;"
      "INSERT INTO by_index SELECT i, 'c' || i, 'v' FROM generate_series(1, 9) i;"
      "INSERT INTO by_row SELECT i, repeat('v', 9000), '{}', '(1,2)' FROM generate_series(1, 9) i;"
      "INSERT INTO by_row_alone SELECT 'c' || i, 'v' FROM generate_series(1, 9) i",
      "  - {table: public.by_key, copy: by_key}\n"
      "  - {table: public.by_index, copy: by_index}\n"
      "  - {table: public.by_row, copy: by_row}\n"
      "  - {table: public.by_row_alone, copy: by_row_alone}\n"
      "  - table: public.codes\n    scope: v\n    select: |\n"
      "      SELECT v, count(*) AS n, max(code) AS code FROM by_index GROUP BY v\n",
      "CREATE TABLE codes (v text PRIMARY KEY, n bigint, code text)");
  const std::string all =
      "SELECT 'k', a::text, b, v FROM by_key UNION ALL SELECT 'i', id::text, code, v FROM by_index "
      "UNION ALL SELECT 'r', id::text, md5(v), j::text || p::text FROM by_row "
      "UNION ALL SELECT 'a', code, v, '' FROM by_row_alone ORDER BY 1, 2, 3";
  ExpectSame(
      "UPDATE by_key SET v = 'w', a = a + 100 WHERE a % 2 = 0; DELETE FROM by_key WHERE a = 1;"
      "UPDATE by_index SET v = 'w' WHERE id % 2 = 0; UPDATE by_index SET id = 100 WHERE id = 3;"
      "UPDATE by_index SET code = 'moved' WHERE id = 4; DELETE FROM by_index WHERE id = 5;"
      "UPDATE by_row SET j = '{ }' WHERE id % 2 = 0; UPDATE by_row SET id = 100 WHERE id = 3;"
      "DELETE FROM by_row WHERE id = 5; UPDATE by_row_alone SET v = 'w' WHERE code > 'c5';"
      "UPDATE by_row_alone SET code = 'x' WHERE code = 'c1'",
      all);
  EXPECT_EQ(All(*new_, "SELECT * FROM codes ORDER BY 1"), "v|4|c9\nw|4|moved");
}

// Postgres lets no UPDATE set an identity that is GENERATED ALWAYS, except to its next value.
TEST_F(TableShapesTest, GeneratedAndIdentityColumnsKeepTheirValues) {
  Start(
      "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
      "  n int GENERATED BY DEFAULT AS IDENTITY, a int, b int GENERATED ALWAYS AS (a * 2) STORED);"
      "CREATE TABLE u (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v int)",
      "INSERT INTO t (a) SELECT i FROM generate_series(1, 9) i;"
      "INSERT INTO u (id) SELECT i FROM generate_series(1, 9) i",
      "  - {table: public.t, copy: t}\n  - {table: public.u, copy: u}\n"
      "  - {table: public.computed, from: {t: id}, select: 'SELECT id, a * 2 AS b FROM t'}\n"
      "  - table: public.joined\n"
      "    select: SELECT u.id, u.n, u.v FROM u JOIN u again USING (id)\n",
      "CREATE TABLE computed (id bigint PRIMARY KEY, b int);"
      "CREATE TABLE joined (LIKE u INCLUDING ALL)");
  const std::string all =
      "SELECT 't', * FROM t UNION ALL SELECT 'u', id, n, v, 0 FROM u ORDER BY 1, 2";
  ExpectSame(
      "INSERT INTO t (a) VALUES (20); UPDATE t SET a = -a WHERE id % 2 = 0;"
      "INSERT INTO t (id, n, a) OVERRIDING SYSTEM VALUE VALUES (1000, 77, 1);"
      "DELETE FROM t WHERE id = 5",
      all);
  ExpectSame(
      "UPDATE t SET id = DEFAULT WHERE id = 3; UPDATE t SET n = DEFAULT WHERE id = 1000;"
      "INSERT INTO t (a) VALUES (30); UPDATE t SET a = 0 WHERE id = 4",
      all);
  ExpectSame(
      "UPDATE u SET n = DEFAULT WHERE id % 2 = 0; INSERT INTO u VALUES (10, DEFAULT, 1);"
      "UPDATE u SET v = 5 WHERE id > 7; UPDATE u SET id = 20 WHERE id = 1",
      all);
  EXPECT_EQ(All(*new_, "SELECT * FROM computed ORDER BY id"),
            All(*old_, "SELECT id, b FROM t ORDER BY id"));
  EXPECT_EQ(All(*new_, "SELECT * FROM joined ORDER BY id"),
            All(*old_, "SELECT * FROM u ORDER BY id"));
}

// What the mapping does not read may come and go.
TEST_F(TableShapesTest, OtherColumnsAndTablesComeAndGoWhileStreaming) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, v text, spare text);"
      "CREATE TABLE empty (id int PRIMARY KEY); CREATE TABLE bystander (id int)",
      "INSERT INTO t VALUES (1, 'a', 's')",
      "  ignore: [t.spare]\n  tables:\n  - {table: public.t, copy: t, drop: [spare]}\n"
      "  - {table: public.empty, copy: empty}\n");
  const std::string all = "SELECT id, v FROM t ORDER BY id";
  ExpectSame("ALTER TABLE t ADD COLUMN extra int DEFAULT 5; INSERT INTO t VALUES (2, 'b', 's', 6)",
             all);
  ExpectSame(
      "ALTER TABLE t DROP COLUMN spare; INSERT INTO t VALUES (3, 'c', 7);"
      "UPDATE t SET v = v || '!' WHERE id <> 2",
      all);
  ExpectSame(
      "BEGIN; INSERT INTO t VALUES (4, 'd', 8); ALTER TABLE t RENAME extra TO other;"
      "INSERT INTO t VALUES (5, 'e', 9); ALTER TABLE t ADD COLUMN more text; "
      "INSERT INTO t VALUES (6, 'f', 10, 'm'); COMMIT",
      all);
  ExpectSame(
      "CREATE TABLE another (id int PRIMARY KEY); INSERT INTO another VALUES (1);"
      "DROP TABLE bystander; INSERT INTO empty VALUES (1); UPDATE t SET id = id + 100",
      all);
  ExpectSame("TRUNCATE t, empty RESTART IDENTITY CASCADE", all);
  EXPECT_EQ(All(*new_, "SELECT count(*) FROM empty"), "0");
}

// The tables that changes pass through have columns of their own beside those of the row.
TEST_F(TableShapesTest, ATableOfNearlyAllColumnsThatPostgresAllowsPasses) {
  std::string columns = "id int PRIMARY KEY";
  for (int i = 1; i < 1596; ++i) absl::StrAppend(&columns, ", c", i, " int");
  Start(absl::StrCat("CREATE TABLE wide (", columns, ")"),
        "INSERT INTO wide (id, c1, c1595) VALUES (1, 2, 3), (3, 4, 5)",
        "  - {table: public.wide, copy: wide}\n");
  ExpectSame(
      "INSERT INTO wide (id, c7) VALUES (2, 7); UPDATE wide SET c1500 = 5, c9 = c9 + 1;"
      "UPDATE wide SET id = 10 WHERE id = 1; DELETE FROM wide WHERE id = 3",
      "SELECT * FROM wide ORDER BY id");
}

TEST_F(TableShapesTest, CheckRefusesATableTooWideNamingTheLimit) {
  std::string columns = "id int PRIMARY KEY";
  for (int i = 1; i < 1600; ++i) absl::StrAppend(&columns, ", c", i, " int");
  const std::string wide = absl::StrCat("CREATE TABLE wide (", columns, ")");
  ASSERT_OK(old_->Execute(wide + "; CREATE TABLE t (id int PRIMARY KEY, sy__op text)"));
  ASSERT_OK(new_->Execute(wide + "; CREATE TABLE t (id int PRIMARY KEY, sy__op text)"));
  Write("  - {table: public.wide, copy: wide}\n  - {table: public.t, copy: t}\n");
  ASSERT_OK_AND_ASSIGN(const ProgramResult check,
                       RunSwitchyard({"check", file_}, {{"OLD_DSN", server_->dsn("old_db")},
                                                        {"NEW_DSN", server_->dsn("new_db")}}));
  EXPECT_NE(check.exit_code, 0);
  for (const char* expected :
       {"1600 columns of public.wide are used", "needs 4 more: Postgres allows 1600",
        "public.wide has 1600 columns", "column sy__op of public.t: names that begin with sy__"}) {
    EXPECT_THAT(check.output, HasSubstr(expected));
  }
}

TEST_F(TableShapesTest, AValueOfAHundredMegabytesPasses) {
  Start("CREATE TABLE t (id int PRIMARY KEY, v text, b bytea)",
        "ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
        "INSERT INTO t VALUES (1, repeat('copied ', 15000000), NULL)",
        "  - {table: public.t, copy: t}\n");
  const std::string all = "SELECT id, length(v), md5(v), length(b), md5(b) FROM t ORDER BY id";
  ExpectSame(
      "INSERT INTO t VALUES (2, NULL, decode(repeat('00ff5c', 35000000), 'hex'));"
      "DELETE FROM t WHERE id = 1",
      all);
}

}  // namespace
}  // namespace switchyard::testing
