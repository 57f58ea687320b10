// Tables of every shape from OLD into NEW, through the program: the copy, then the stream.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mini_postgres.h"
#include "tests/support/pipeline.h"
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
        "  - table: public.by_age\n    scope: century\n    from: {p: at / 100}\n"
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
  ExpectSame("BEGIN; TRUNCATE p; INSERT INTO p VALUES (1, 1, 'after'); COMMIT", all);
  EXPECT_EQ(All(*new_, "SELECT * FROM by_age"), "0|1|after");
}

}  // namespace
}  // namespace switchyard::testing
