// What roles, databases, other people's functions and poolers would do to Switchyard's sessions, as
// an operator sees it.
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"
#include "tests/support/server/mini_pgbouncer.h"

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
  // A session pooler will do in front of NEW, and in front of OLD for all but replication.
  ASSERT_OK_AND_ASSIGN(*pooler, MiniPgBouncer::Start(*postgres_, "session"));
  Environment old_pooled = Roles();
  old_pooled[0].second = (*pooler)->dsn("old_db", "switchyard_capture");
  const ProgramResult no_replication = RunCli({"check", file_}, old_pooled);
  EXPECT_EQ(no_replication.exit_code, 1) << no_replication.output;
  EXPECT_THAT(no_replication.output,
              HasSubstr("sessions come through, but no replication connection"));
  EXPECT_THAT(no_replication.output, HasSubstr("leads to the server itself"));
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

// Every setting that a role or database can carry, as unlike ours as it can be: at the other end of
// its range, or what hurts most. Left out: what says where things are (libraries, tablespaces), and
// what an administrator limits us by (temporary files, stack).
constexpr char kHostileSettings[] = R"(
  SELECT s.name, coalesce(h.value, CASE
      WHEN s.vartype = 'bool' THEN CASE s.setting WHEN 'on' THEN 'off' ELSE 'on' END
      WHEN s.vartype = 'enum' THEN
        (SELECT max(e) FROM unnest(s.enumvals) e WHERE e <> s.setting)
      WHEN s.vartype IN ('integer', 'real') THEN
        CASE WHEN s.min_val::numeric <> s.setting::numeric THEN s.min_val ELSE s.max_val END
      END) AS value
  FROM pg_settings s LEFT JOIN (VALUES
    ('search_path', 'first, pg_catalog'), ('client_encoding', 'LATIN1'), ('DateStyle', 'German'),
    ('TimeZone', 'Asia/Tokyo'), ('timezone_abbreviations', 'India'), ('lc_monetary', 'POSIX'),
    ('lc_numeric', 'POSIX'), ('lc_time', 'POSIX'), ('extra_float_digits', '-15'),
    ('default_text_search_config', 'pg_catalog.simple'), ('client_min_messages', 'debug5'),
    ('restrict_nonsystem_relation_kind', 'view, foreign-table'),
    ('statement_timeout', '2ms'), ('lock_timeout', '1ms'), ('transaction_timeout', '2ms'),
    ('idle_in_transaction_session_timeout', '50ms'), ('idle_session_timeout', '50ms'),
    ('wal_sender_timeout', '100ms'), ('application_name', 'nobody')) AS h (name, value)
    ON h.name = s.name
  WHERE s.context IN ('user', 'superuser')
    AND s.name NOT IN ('temp_file_limit', 'max_stack_depth'))";

TEST_F(CliSessionTest, NoSettingOfRolesOrDatabasesReachesASession) {
  const std::string values =
      "CREATE TABLE v (id int PRIMARY KEY, f float8, t timestamptz, d date, i interval, b bytea, "
      "n numeric, a text[], x xml);";
  const auto rows = [](const std::string& id) {
    return "INSERT INTO v SELECT " + id +
           ", 0.1 + 1/3e0, '2024-03-04 05:06:07.123456+02', '2024-03-04', '1 mon -2 days "
           "03:04:05', "
           "'\\x00ff5c', 1.500, '{a,NULL,\"n ull\"}', xmlparse(content 'a<b/>c')";
  };
  ASSERT_OK(postgres_->Execute(
      "old_db", "CREATE SCHEMA first; CREATE TABLE first.pg_class (w int);" + values + rows("1")));
  ASSERT_OK(postgres_->Execute(
      "new_db", "CREATE SCHEMA first; CREATE TABLE first.pg_class (w int);" + values));
  std::ofstream(file_, std::ios::app) << "  - {table: public.v, copy: v}\n";
  Prepare();
  ASSERT_OK_AND_ASSIGN(const auto admin, postgres_->Connect());
  ASSERT_OK_AND_ASSIGN(const pg::Result hostile, admin->Query(kHostileSettings));
  int set = 0;
  for (int i = 0; i < hostile.rows(); ++i) {
    if (hostile.is_null(i, 1)) continue;
    const std::string setting = absl::StrCat(
        " SET ", hostile.str(i, 0), " = ",
        hostile.str(i, 0) == "search_path" ? hostile.str(i, 1) : QuoteLiteral(hostile.text(i, 1)));
    for (const char* whose : {"DATABASE old_db", "DATABASE new_db", "ROLE switchyard_capture",
                              "ROLE switchyard_replay"}) {
      // Some can't be set that way.
      set += admin->Execute(absl::StrCat("ALTER ", whose, setting)).ok() ? 1 : 0;
    }
  }
  EXPECT_GT(set, 4 * 120);
  // An empty path is no path at all to quote.
  ASSERT_OK(admin->Execute("ALTER ROLE switchyard_replay SET search_path = ''"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK_AND_ASSIGN(const auto old_db,
                       postgres_->Connect("old_db", {{"search_path", "public"}}));
  ASSERT_OK(
      old_db->Execute("UPDATE customers SET email = 'C@x' WHERE id = 2;"
                      "DELETE FROM orders WHERE id <= 10;" +
                      rows("2")));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM public.people"),
            "a@x1 b@x1 c@x1");
  EXPECT_EQ(New("SELECT count(*) FROM public.orders"), "90");
  const std::string all = "SELECT string_agg(v::text, ' ' ORDER BY id) FROM public.v";
  ASSERT_OK_AND_ASSIGN(const pg::Result of_old, old_db->Query(all));
  EXPECT_EQ(New(all), of_old.str(0, 0));
  EXPECT_THAT(New(all), HasSubstr("0.43333333333333335"));
  const ProgramResult status = RunCli({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 0) << status.output;
  ASSERT_OK(pipeline_->Stop());
  EXPECT_THAT(pipeline_->Log("run"), Not(HasSubstr("lost")));
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
