// The roles, run by the least privileged logins that --print-setup makes.
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli_fixture.h"
#include "tests/support/mini_postgres.h"
#include "tests/support/pipeline.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kFile[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
    "forward:\n"
    "  - table: public.people\n"
    "    scope: email\n"
    "    from: {customers: lower(email)}\n"
    "    static: [lookup.kinds]\n"
    "    select: >-\n"
    "      SELECT lower(c.email) AS email, count(*)::int AS members, min(k.name) AS kind\n"
    "      FROM customers c CROSS JOIN lookup.kinds k GROUP BY 1\n"
    "  - {table: public.orders, copy: orders}\n";

constexpr char kOldTables[] = R"(
  CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
  INSERT INTO customers VALUES (1, 'A@x'), (2, 'a@x'), (3, 'b@x');
  INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;)";

constexpr char kNewTables[] = R"(
  CREATE SCHEMA lookup;
  CREATE TABLE lookup.kinds (name text PRIMARY KEY);
  INSERT INTO lookup.kinds VALUES ('person');
  CREATE TABLE people (email text PRIMARY KEY, members int NOT NULL, kind text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL CHECK (amount < 1000));)";

class CliRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(postgres_, MiniPostgres::Start());
    ASSERT_OK_AND_ASSIGN(folder_, MakeTempFolder("cli_run"));
    ASSERT_OK(postgres_->CreateDatabase("old_db"));
    ASSERT_OK(postgres_->CreateDatabase("new_db"));
    ASSERT_OK(postgres_->Execute("old_db", kOldTables));
    ASSERT_OK(postgres_->Execute("new_db", kNewTables));
    file_ = folder_ + "/shop.yaml";
    std::ofstream(file_) << kFile;
  }
  void TearDown() override {
    pipeline_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Both owners run what is printed for them.
  void Prepare() {
    const Environment owners = {{"OLD_DSN", postgres_->dsn("old_db")},
                                {"NEW_DSN", postgres_->dsn("new_db")}};
    const ProgramResult old_setup = RunCli({"check", "--print-setup", file_}, owners);
    ASSERT_EQ(old_setup.exit_code, 0) << old_setup.output;
    ASSERT_OK(postgres_->Execute("old_db", old_setup.output));
    const ProgramResult new_setup = RunCli({"check", "--print-setup-new", file_}, owners);
    ASSERT_EQ(new_setup.exit_code, 0) << new_setup.output;
    ASSERT_OK(postgres_->Execute("new_db", new_setup.output));
  }

  // As the roles that the setup made.
  Environment Roles() const {
    const auto as = [&](const char* database, const char* role) {
      return absl::StrReplaceAll(postgres_->dsn(database), {{"user=postgres", ""}}) +
             " user=" + role;
    };
    return {{"OLD_DSN", as("old_db", "switchyard_capture")},
            {"NEW_DSN", as("new_db", "switchyard_replay")}};
  }

  void StartPipeline() {
    const Environment roles = Roles();
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = roles[0].second,
                                                             .new_dsn = roles[1].second,
                                                             .stream = "shop.forward",
                                                             .log_folder = folder_});
  }

  std::string New(const std::string& sql) {
    const auto value = postgres_->Scalar("new_db", sql);
    return value.ok() ? *value : std::string(StdSv(value.status().message()));
  }

  std::unique_ptr<MiniPostgres> postgres_;
  std::string folder_;
  std::string file_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(CliRunTest, ChecksAndRunsWithTheLeastPrivilegesThatItsSetupGrants) {
  Prepare();
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'a@x'"), "2");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE customers SET email = 'b@x' WHERE id = 2"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'b@x'"), "2");
  const ProgramResult status = RunCli({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.output, HasSubstr("shop.forward  streaming  epoch "));
  EXPECT_THAT(status.output, HasSubstr("quarantine  empty\n"));
  ASSERT_OK(pipeline_->Stop());  // SIGTERM: ends with 0 within 10 s
}

TEST_F(CliRunTest, CheckNamesEachGrantThatIsMissing) {
  Prepare();
  ASSERT_OK(postgres_->Execute("old_db", "REVOKE SELECT ON orders FROM switchyard_capture"));
  ASSERT_OK(postgres_->Execute("new_db", R"(
    REVOKE DELETE ON orders FROM switchyard_replay;
    REVOKE USAGE ON SCHEMA lookup FROM switchyard_replay;
    REVOKE CREATE ON SCHEMA switchyard_old FROM switchyard_replay;
    REVOKE SET ON PARAMETER session_replication_role FROM switchyard_replay)"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_NE(check.exit_code, 0);
  for (const char* expected :
       {"old: role \"switchyard_capture\" may not read table public.orders",
        "new: role \"switchyard_replay\" may not write table public.orders",
        "new: role \"switchyard_replay\" may not use schema \"lookup\"",
        "new: role \"switchyard_replay\" may not use and create in schema switchyard_old",
        "    GRANT SET ON PARAMETER session_replication_role TO \"switchyard_replay\";"}) {
    EXPECT_THAT(check.output, HasSubstr(expected));
  }
}

TEST_F(CliRunTest, RunEndsAtOnceWithEverythingThatOldLacks) {
  const ProgramResult run = RunCli({"run", file_}, {{"OLD_DSN", postgres_->dsn("old_db")},
                                                    {"NEW_DSN", postgres_->dsn("new_db")}});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("there is no publication"));
  EXPECT_THAT(run.output, HasSubstr("--print-setup"));
  EXPECT_EQ(New("SELECT to_regnamespace('switchyard') IS NULL"), "t");  // nothing was changed
}

TEST_F(CliRunTest, CaptureAndReplayEndCleanlyApart) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM people"), "2");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliRunTest, ListsAndRetriesTheQuarantine) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(RunCli({"quarantine", file_, "list"}, Roles()).exit_code, 0);
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 5000 WHERE id = 7"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  const ProgramResult list = RunCli({"quarantine", file_, "list"}, Roles());
  EXPECT_EQ(list.exit_code, 1);
  EXPECT_THAT(list.output, HasSubstr("update public.orders {\"id\": \"7\"}"));
  EXPECT_THAT(list.output, HasSubstr("SQLSTATE 23514"));
  EXPECT_THAT(RunCli({"quarantine", file_, "list", "--json"}, Roles()).output,
              HasSubstr("\"total\": 1"));
  EXPECT_EQ(RunCli({"quarantine", file_, "retry"}, Roles()).exit_code, 1);  // still refused
  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders DROP CONSTRAINT orders_amount_check"));
  const ProgramResult retry = RunCli({"quarantine", file_, "retry"}, Roles());
  EXPECT_EQ(retry.exit_code, 0) << retry.output;
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 7"), "5000");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliRunTest, AnUnansweredRequestIsInconclusive) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult retry =
      RunCli({"quarantine", file_, "retry", "--wait", "200ms", "--json"}, Roles());
  EXPECT_EQ(retry.exit_code, 4);
  EXPECT_THAT(retry.output, HasSubstr("\"result\": \"inconclusive\""));
}

}  // namespace
}  // namespace switchyard::testing
