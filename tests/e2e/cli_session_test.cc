// What roles, databases, other people's functions and poolers would do to Switchyard's sessions, as
// an operator sees it.
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli_run_fixture.h"
#include "tests/support/await.h"
#include "tests/support/mini_pgbouncer.h"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CliSessionTest : public CliRunTest {
 protected:
  void Old(const std::string& sql) { ASSERT_OK(postgres_->Execute("old_db", sql)); }
  void ExpectFollows() {
    Old("UPDATE customers SET email = 'C@x' WHERE id = 2; DELETE FROM orders WHERE id <= 10");
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM public.people"),
              "a@x1 b@x1 c@x1");
    EXPECT_EQ(New("SELECT count(*) FROM public.orders"), "90");
  }
};

TEST_F(CliSessionTest, ATransactionPoolerInFrontOfNewIsRefusedAndKeepsItsBackends) {
  auto pooler = MiniPgBouncer::Start(*postgres_, "transaction", "default_pool_size = 2");
  if (absl::IsNotFound(pooler.status())) GTEST_SKIP() << "pgbouncer is not installed";
  ASSERT_OK(pooler);
  Prepare();
  Environment roles = Roles();
  roles[1].second = (*pooler)->dsn("new_db", "switchyard_replay");
  const ProgramResult check = RunCli({"check", file_}, roles);
  EXPECT_EQ(check.exit_code, 3) << check.output;
  EXPECT_THAT(check.output, AllOf(HasSubstr("several backends"), HasSubstr("pool by session")));
  const ProgramResult run = RunCli({"run", file_}, roles);
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("several backends"));
  roles[0].second = (*pooler)->dsn("old_db", "switchyard_capture");
  EXPECT_THAT(RunCli({"capture", file_}, roles).output, HasSubstr("several backends"));
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK_AND_ASSIGN(
        const std::string shown,
        RunForOutput({.argv = {postgres_->bin_dir() + "/psql", "-XAtc",
                               "SELECT current_setting('session_replication_role'), "
                               "current_setting('search_path')",
                               (*pooler)->dsn("new_db", "switchyard_replay")}}));
    EXPECT_EQ(shown, "origin|\"$user\", public\n");
  }
}

TEST_F(CliSessionTest, AStatementPoolerIsRefusedAndASessionPoolerWorks) {
  auto pooler = MiniPgBouncer::Start(*postgres_, "statement");
  if (absl::IsNotFound(pooler.status())) GTEST_SKIP() << "pgbouncer is not installed";
  ASSERT_OK(pooler);
  Prepare();
  Environment roles = Roles();
  roles[1].second = (*pooler)->dsn("new_db", "switchyard_replay");
  const ProgramResult refused = RunCli({"check", file_}, roles);
  EXPECT_EQ(refused.exit_code, 3) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("pools by statement"));
  ASSERT_OK_AND_ASSIGN(*pooler, MiniPgBouncer::Start(*postgres_, "session"));
  roles[1].second = (*pooler)->dsn("new_db", "switchyard_replay");
  pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                           .old_dsn = roles[0].second,
                                                           .new_dsn = roles[1].second,
                                                           .stream = "shop.forward",
                                                           .log_folder = folder_});
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectFollows();
  ASSERT_OK(pipeline_->Stop());
}

// Whatever roles and databases carry by ALTER ... SET.
TEST_F(CliSessionTest, SettingsOfRolesAndDatabasesReachNoSession) {
  Old("CREATE SCHEMA first; CREATE TABLE first.pg_class (wrong int)");
  ASSERT_OK(
      postgres_->Execute("new_db", "CREATE SCHEMA first; CREATE TABLE first.pg_class (w int)"));
  Prepare();
  for (const char* database : {"old_db", "new_db"}) {
    for (const char* setting : {"search_path = first, pg_catalog",
                                "default_transaction_read_only = on",
                                "default_transaction_isolation = serializable",
                                "default_transaction_deferrable = on",
                                "statement_timeout = '2ms'",
                                "lock_timeout = '1ms'",
                                "TimeZone = 'Asia/Tokyo'",
                                "DateStyle = 'German'",
                                "IntervalStyle = 'sql_standard'",
                                "bytea_output = 'escape'",
                                "extra_float_digits = 0",
                                "quote_all_identifiers = on",
                                "row_security = on",
                                "standard_conforming_strings = off",
                                "transform_null_equals = on",
                                "exit_on_error = on",
                                "enable_indexscan = off",
                                "enable_seqscan = off",
                                "plan_cache_mode = 'force_generic_plan'",
                                "idle_in_transaction_session_timeout = '50ms'",
                                "idle_session_timeout = '50ms'",
                                "xmloption = 'document'",
                                "array_nulls = off",
                                "jit_above_cost = 0"}) {
      ASSERT_OK(postgres_->Execute("postgres",
                                   absl::StrCat("ALTER DATABASE ", database, " SET ", setting)));
    }
  }
  // A role's go before its database's.
  ASSERT_OK(postgres_->Execute("postgres", "ALTER ROLE switchyard_replay SET search_path = ''"));
  ASSERT_OK(postgres_->Execute("postgres", "ALTER ROLE switchyard_capture SET search_path = ''"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK_AND_ASSIGN(const auto admin,
                       postgres_->Connect("old_db", {{"default_transaction_read_only", "off"},
                                                     {"statement_timeout", "0"},
                                                     {"search_path", "public"}}));
  ASSERT_OK(admin->Execute(
      "UPDATE customers SET email = 'C@x' WHERE id = 2; DELETE FROM orders WHERE id <= 10"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM public.people"),
            "a@x1 b@x1 c@x1");
  EXPECT_EQ(New("SELECT count(*) FROM public.orders"), "90");
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
  ASSERT_OK(pipeline_->Stop());
}

// A VACUUM FULL or ALTER TABLE holds such a lock for hours.
TEST_F(CliSessionTest, OneLockedTableKeepsNobodyFromConnecting) {
  // What is generated, and what may refer to a large object, is looked at by way of the table.
  Old("ALTER TABLE orders ADD g int GENERATED ALWAYS AS (id) STORED, ADD lob oid; "
      "SELECT lo_create(77)");
  std::ofstream(file_) << absl::StrReplaceAll(kFile,
                                              {{"copy: orders", "copy: orders, drop: [lob]"}});
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK_AND_ASSIGN(const auto locker, postgres_->Connect("old_db"));
  ASSERT_OK(locker->Execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"));
  ASSERT_OK(postgres_->Execute("postgres",
                               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                               "usename = 'switchyard_capture'"));
  Old("UPDATE customers SET email = 'C@x' WHERE id = 2");
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM people WHERE email = 'c@x'"), "1");
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(pipeline_->Start("run"));
  Old("DELETE FROM customers WHERE id = 2");
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM people WHERE email = 'c@x'"), "0");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliSessionTest, AChangedPasswordIsReadFromItsFile) {
  Prepare();
  const Environment roles = Roles();
  const std::string hba = postgres_->data_dir() + "/pg_hba.conf";
  const std::string trust = ReadFileOrEmpty(hba);
  std::ofstream(hba) << "local all switchyard_capture,switchyard_replay scram-sha-256\n"
                     << "local replication switchyard_capture scram-sha-256\n"
                     << trust;
  const auto rotate = [&](const std::string& password) {
    ASSERT_OK(postgres_->Execute(
        "postgres", absl::StrCat("ALTER ROLE switchyard_capture PASSWORD '", password,
                                 "'; ALTER ROLE switchyard_replay PASSWORD '", password, "'")));
  };
  const auto write = [&](const std::string& password) {
    std::ofstream(folder_ + "/old.dsn") << roles[0].second << " password=" << password;
    std::ofstream(folder_ + "/new.dsn") << roles[1].second << " password=" << password;
  };
  rotate("hunter1");
  write("hunter1");
  ASSERT_OK(postgres_->Execute("postgres", "SELECT pg_reload_conf()"));
  std::ofstream(file_) << absl::StrReplaceAll(kFile, {{"dsn_env: OLD_DSN", "dsn_file: old.dsn"},
                                                      {"dsn_env: NEW_DSN", "dsn_file: new.dsn"}});
  pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                           .old_dsn = postgres_->dsn("old_db"),
                                                           .new_dsn = postgres_->dsn("new_db"),
                                                           .stream = "shop.forward",
                                                           .log_folder = folder_});
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  rotate("hunter2");
  ASSERT_OK(postgres_->Execute("postgres",
                               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                               "usename LIKE 'switchyard%'"));
  // The files follow late: both roles were refused by then.
  ASSERT_OK(Await("both are refused", absl::Seconds(30), [&] {
    const std::string log = pipeline_->Log("run");
    return absl::StrContains(log, "/old.dsn is read again") &&
           absl::StrContains(log, "/new.dsn is read again");
  }));
  write("hunter2");
  ExpectFollows();
  EXPECT_THAT(pipeline_->Log("run"), Not(HasSubstr("hunter")));
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
