// A small migration, driven through the program by the least privileged logins there are.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "tests/e2e/cli/cli_fixture.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {

inline constexpr char kFile[] =
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

inline constexpr char kOldTables[] = R"(
  CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
  INSERT INTO customers VALUES (1, 'A@x'), (2, 'a@x'), (3, 'b@x');
  INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;)";

inline constexpr char kNewTables[] = R"(
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

}  // namespace switchyard::testing
