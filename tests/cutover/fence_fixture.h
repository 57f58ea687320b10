// A database for each test that is both sides of migration "shop" at once, with the fence as its
// owner set it up, who is no superuser: roles owner, app (the application) and sy (Switchyard).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"
#include "common/records/cutover/fence_sql.h"
#include "common/records/cutover/ownership.h"
#include "common/records/mark.h"
#include "common/records/target_sql.h"
#include "cutover/postgres/fence.h"
#include "cutover/postgres/fence_facts.h"
#include "deploy/sql/source.sql.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::cutover {

inline constexpr char kMigration[] = "shop";
inline constexpr char kTold[] = "its data is in NEW (host db2)";
inline constexpr char kRefusedCode[] = "SY001";

class FenceFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto postgres =
        testing::MiniPostgres::Start({.settings = {{"max_prepared_transactions", "5"}}});
    ASSERT_OK(postgres);
    postgres_ = std::move(*postgres).release();
    ASSERT_OK(postgres_->Execute("postgres", R"(
      CREATE ROLE owner LOGIN;
      CREATE ROLE app LOGIN;
      CREATE ROLE sy LOGIN;
      GRANT pg_read_all_stats TO sy)"));
    ASSERT_OK(postgres_->Execute("postgres", "CREATE DATABASE shop_template OWNER owner"));
    ASSERT_OK(postgres_->Execute("shop_template", "GRANT ALL ON SCHEMA public TO PUBLIC"));
    Cancel cancel;
    ASSERT_OK_AND_ASSIGN(const auto owner,
                         pg::Session::Connect({.dsn = Dsn("shop_template", "owner")}, cancel));
    // Not all of a target's tables can be made before Postgres 14, where nobody has one.
    std::string target = records::TargetSetupSql();
    if (owner->server_version() < 140000) {
      const size_t begin = target.find("CREATE TABLE IF NOT EXISTS switchyard.ownership");
      target = target.substr(begin, target.find("-- The last Relation event") - begin);
    }
    for (const std::string& sql : {std::string(kSourceSql), target, std::string(kTables),
                                   records::FenceSetupSql(Setup(false)), std::string(kGrants)}) {
      ASSERT_OK(owner->Execute(sql));
    }
  }
  static void TearDownTestSuite() { delete postgres_; }

  void SetUp() override {
    database_ = absl::StrCat("shop_", ++databases_);
    ASSERT_OK(postgres_->Execute(
        "postgres", absl::StrCat("CREATE DATABASE ", database_, " TEMPLATE shop_template")));
    ASSERT_OK_AND_ASSIGN(owner_, As("owner"));
    ASSERT_OK_AND_ASSIGN(app_, As("app"));
    ASSERT_OK_AND_ASSIGN(sy_, As("sy"));
    ASSERT_OK_AND_ASSIGN(super_, As("postgres"));
    ASSERT_OK(owner_->Execute(records::FenceTablesSql(Setup(false))));
    ASSERT_OK_AND_ASSIGN(const records::ServerHistory here, records::HistoryOf(*sy_));
    history_ = {here.system_identifier, here.timeline};
  }
  void TearDown() override {
    owner_.reset();
    app_.reset();
    sy_.reset();
    super_.reset();
    EXPECT_OK(postgres_->Execute("postgres", absl::StrCat("DROP DATABASE ", database_)));
  }

  static std::vector<std::string> Tables() {
    return {"public.orders", "public.items", "public.parts", "public.leaf_b"};
  }
  static records::FenceSetup Setup(bool statements) {
    return {.migration = kMigration, .role = "sy", .tables = Tables(), .statements = statements};
  }
  static std::string Dsn(const std::string& database, const std::string& role) {
    return absl::StrCat(postgres_->dsn(database), " user=", role);
  }
  absl::StatusOr<std::unique_ptr<pg::Session>> As(const std::string& role) {
    return pg::Session::Connect({.dsn = Dsn(database_, role)}, cancel_);
  }
  PgFenceOptions Options(Side side) {
    return {.side = side,
            .migration = kMigration,
            .session = {.dsn = Dsn(database_, "sy")},
            .tables = Tables(),
            .told = kTold};
  }

  // The epoch of a driver that leads, OLD's row moved to it.
  int64_t Lead() {
    const records::NewOwnership rows(*sy_, kMigration);
    EXPECT_OK(rows.Begin(0));
    const int64_t epoch = (*rows.TakeEpoch((*rows.Load())->epoch, "anna@ops1"))->epoch;
    EXPECT_EQ(records::OldSideRow(*sy_, kMigration)
                  .Open(epoch, {history_.system_identifier, history_.timeline})
                  ->compared,
              records::Compared::kDone);
    return epoch;
  }
  Decision DecisionOf(int64_t epoch) {
    return {.epoch = epoch,
            .handover = {.closed_lsn = Lsn(0x10)},
            .old_history = history_,
            .new_history = history_};
  }
  // OLD's fence made permanent by a driver of its own: its epoch.
  int64_t CloseOld() {
    const int64_t epoch = Lead();
    PgFence fence(Options(Side::kOld), cancel_);
    EXPECT_OK(fence.Lock({}));
    EXPECT_OK(fence.Close(DecisionOf(epoch), absl::Seconds(5)));
    return epoch;
  }
  int64_t Refused() { return *RefusedWrites(*sy_, kMigration); }
  std::string Ask(const std::string& sql) {
    const auto row = super_->Query(sql);
    EXPECT_OK(row) << sql;
    return row.ok() && row->rows() > 0 ? row->str(0, 0) : "";
  }
  // So many sessions wait for a lock.
  absl::Status AwaitWaiting(int sessions) {
    return testing::Await("sessions that wait", absl::Seconds(10), [&]() -> absl::StatusOr<bool> {
      return Ask(absl::StrCat("SELECT count(*) >= ", sessions,
                              " FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                              "datname = current_database()")) == "t";
    });
  }

  // Refused by the fence, in a transaction of its own.
  void ExpectRefused(pg::Session& session, const std::string& sql) {
    const absl::Status status = session.Execute(sql);
    EXPECT_EQ(pg::StatusSqlState(status), kRefusedCode) << sql << ": " << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(kTold)) << sql;
  }

  static constexpr char kTables[] = R"(
    CREATE TABLE public.orders (id int PRIMARY KEY, note text);
    CREATE TABLE public.items (id int PRIMARY KEY, note text);
    CREATE TABLE public.parts (id int, region int, PRIMARY KEY (id, region))
      PARTITION BY LIST (region);
    CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES IN (1);
    -- Not mapped: a root one of whose leaves is, and a parent one of whose children is.
    CREATE TABLE public.root (id int, region int, PRIMARY KEY (id, region))
      PARTITION BY LIST (region);
    CREATE TABLE public.leaf_a PARTITION OF public.root FOR VALUES IN (1);
    CREATE TABLE public.leaf_b PARTITION OF public.root FOR VALUES IN (2);
    CREATE TABLE public.parent (id int);
    CREATE VIEW public.seen AS SELECT id, note FROM public.orders;
    INSERT INTO public.orders VALUES (1, 'a'), (2, 'b');
    INSERT INTO public.items VALUES (1, 'a');
    INSERT INTO public.parts VALUES (1, 1))";
  static constexpr char kGrants[] = R"(
    GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.orders, public.items TO sy;
    GRANT USAGE ON SCHEMA switchyard TO sy;
    GRANT ALL ON ALL TABLES IN SCHEMA switchyard TO sy)";

  static inline testing::MiniPostgres* postgres_ = nullptr;
  static inline int databases_ = 0;
  Cancel cancel_;
  std::string database_;
  History history_;
  std::unique_ptr<pg::Session> owner_, app_, sy_, super_;
};

}  // namespace switchyard::cutover
