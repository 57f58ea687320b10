// A migration with both streams between two servers, driven through the program by the least
// privileged logins that its setup makes.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/server/switchyard_process.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {

// Forward copies orders and splits accounts; reverse copies orders, row by row, and joins the two
// halves of an account, which it mirrors.
inline constexpr char kBothWays[] = R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
capture: {heartbeat: 1s}
forward:
  - {table: public.orders, copy: orders}
  - {table: public.account, copy: accounts, drop: [phone]}
  - {table: public.phone, copy: accounts, rename: {id: account_id}, drop: [name],
     where: phone IS NOT NULL}
reverse:
  - {table: public.orders, copy: orders}
  - table: public.accounts
    select: >-
      SELECT a.id, a.name, p.phone FROM account a LEFT JOIN phone p ON p.account_id = a.id
)";

inline constexpr char kTablesOfOld[] = R"(
  CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, phone text);
  INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;
  INSERT INTO accounts SELECT i, 'name ' || i, CASE WHEN i % 2 = 0 THEN 'phone ' || i END
    FROM generate_series(1, 10) i;)";

inline constexpr char kTablesOfNew[] = R"(
  CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE account (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE phone (account_id int PRIMARY KEY, phone text NOT NULL);)";

class ReverseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(old_, MiniPostgres::Start());
    ASSERT_OK_AND_ASSIGN(new_, MiniPostgres::Start());
    ASSERT_OK_AND_ASSIGN(folder_, MakeTempFolder("reverse"));
    ASSERT_OK(old_->CreateDatabase("old_db"));
    ASSERT_OK(new_->CreateDatabase("new_db"));
    ASSERT_OK(old_->Execute("old_db", kTablesOfOld));
    ASSERT_OK(new_->Execute("new_db", kTablesOfNew));
    file_ = folder_ + "/shop.yaml";
    std::ofstream(file_) << kBothWays;
  }
  void TearDown() override {
    pipeline_.reset();
    std::filesystem::remove_all(folder_);
  }

  static ProgramResult Program(const std::vector<std::string>& arguments,
                               const std::vector<std::pair<std::string, std::string>>& dsns) {
    auto result = RunSwitchyard(arguments, dsns);
    if (!result.ok()) return {.exit_code = -1, .output = std::string(result.status().message())};
    return *std::move(result);
  }

  // Both owners run what is printed for them.
  void Prepare() {
    const ProgramResult old_setup = Program({"check", "--print-setup", file_}, Owners());
    ASSERT_EQ(old_setup.exit_code, 0) << old_setup.output;
    ASSERT_OK(old_->Execute("old_db", old_setup.output));
    const ProgramResult new_setup = Program({"check", "--print-setup-new", file_}, Owners());
    ASSERT_EQ(new_setup.exit_code, 0) << new_setup.output;
    ASSERT_OK(new_->Execute("new_db", new_setup.output));
  }

  std::vector<std::pair<std::string, std::string>> Owners() const {
    return {{"OLD_DSN", old_->dsn("old_db")}, {"NEW_DSN", new_->dsn("new_db")}};
  }
  static std::string As(const MiniPostgres& server, const char* database, const char* role) {
    return absl::StrReplaceAll(server.dsn(database), {{"user=postgres", ""}}) + " user=" + role;
  }
  std::vector<std::pair<std::string, std::string>> Roles() const {
    return {{"OLD_DSN", As(*old_, "old_db", "switchyard_capture")},
            {"NEW_DSN", As(*new_, "new_db", "switchyard_replay")}};
  }

  void StartPipeline() {
    pipeline_ = std::make_unique<Pipeline>(
        Pipeline::Options{.migration_file = file_,
                          .old_dsn = As(*old_, "old_db", "switchyard_capture"),
                          .new_dsn = As(*new_, "new_db", "switchyard_replay"),
                          .stream = "shop.forward",
                          .log_folder = folder_});
  }

  std::string Old(const std::string& sql) { return Ask(*old_, "old_db", sql); }
  std::string New(const std::string& sql) { return Ask(*new_, "new_db", sql); }
  static std::string Ask(const MiniPostgres& server, const char* database, const std::string& sql) {
    const auto value = server.Scalar(database, sql);
    return value.ok() ? *value : std::string(StdSv(value.status().message()));
  }

  absl::Status AwaitOld(const std::string& sql, const std::string& value) {
    return Await(sql + " in OLD", absl::Seconds(60), [&] { return Old(sql) == value; });
  }
  absl::Status AwaitNew(const std::string& sql, const std::string& value) {
    return Await(sql + " in NEW", absl::Seconds(60), [&] { return New(sql) == value; });
  }
  absl::Status AwaitBothStreaming() {
    RETURN_IF_ERROR(pipeline_->AwaitCaughtUp());
    return AwaitOld("SELECT state FROM switchyard.stream WHERE name = 'shop.reverse'", "streaming");
  }

  std::unique_ptr<MiniPostgres> old_, new_;
  std::string folder_, file_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace switchyard::testing
