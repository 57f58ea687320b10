// A migration under way by the program itself, as the roles that its setup makes: a table of each
// kind there is to compare. All tests of a suite share one cluster.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {

// orders is copied, items computed; people is derived from customers, of which there is a mirror.
inline constexpr char kVerifiedOld[] = R"(
  CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric NOT NULL);
  CREATE TABLE items (id int PRIMARY KEY, label text NOT NULL, price int NOT NULL);
  CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);
  INSERT INTO orders SELECT i, 'order ' || i, i FROM generate_series(1, 300) i;
  INSERT INTO items SELECT i, 'item ' || i, i FROM generate_series(1, 200) i;
  INSERT INTO customers SELECT i, 'Person' || i % 90 || '@x' FROM generate_series(1, 150) i;)";
inline constexpr char kVerifiedNew[] = R"(
  CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric NOT NULL);
  CREATE TABLE items (id bigint PRIMARY KEY, label varchar(40) NOT NULL, cents bigint NOT NULL);
  CREATE TABLE people (email text PRIMARY KEY, members bigint NOT NULL);)";
inline constexpr char kVerifiedMapping[] =
    "  - {table: public.orders, copy: orders}\n"
    "  - {table: public.items, copy: items, drop: [price],\n"
    "     set: {cents: price * 25::bigint}}\n"
    "  - table: public.people\n"
    "    scope: email\n"
    "    from: {customers: lower(email)}\n"
    "    select: SELECT lower(email) AS email, count(*) AS members FROM customers GROUP BY 1\n";

class VerifyFixture : public ::testing::Test {
 protected:
  using Json = nlohmann::json;

  static void SetUpTestSuite() {
    auto started = MiniPostgres::Start();
    ASSERT_OK(started);
    postgres_ = std::move(*started).release();
  }
  static void TearDownTestSuite() {
    delete postgres_;
    postgres_ = nullptr;
  }
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, MakeTempFolder("verify"));
    ASSERT_OK(postgres_->CreateDatabase("old_db"));
    ASSERT_OK(postgres_->CreateDatabase("new_db"));
    file_ = folder_ + "/shop.yaml";
  }
  void TearDown() override {
    pipeline_.reset();
    EXPECT_OK(Await("its slots can go", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      return postgres_
          ->Execute("old_db",
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
          .ok();
    }));
    for (const char* name : {"old_db", "new_db"}) {
      EXPECT_OK(postgres_->Execute("postgres", absl::StrCat("DROP DATABASE ", name, " (FORCE)")));
    }
    std::filesystem::remove_all(folder_);
  }

  // Both databases prepared by their owners, and `run` at work.
  void Start(const std::string& old_sql = kVerifiedOld, const std::string& new_sql = kVerifiedNew,
             const std::string& mapping = kVerifiedMapping) {
    std::ofstream(file_) << "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
                         << "forward:\n"
                         << mapping;
    ASSERT_OK(postgres_->Execute("old_db", old_sql));
    ASSERT_OK(postgres_->Execute("new_db", new_sql));
    for (const auto& [option, database] :
         {std::pair("--print-setup", "old_db"), std::pair("--print-setup-new", "new_db")}) {
      ASSERT_OK_AND_ASSIGN(
          const ProgramResult setup,
          RunSwitchyard({"check", option, file_}, {{"OLD_DSN", postgres_->dsn("old_db")},
                                                   {"NEW_DSN", postgres_->dsn("new_db")}}));
      ASSERT_EQ(setup.exit_code, 0) << setup.output;
      ASSERT_OK(postgres_->Execute(database, setup.output));
    }
    pipeline_ =
        std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                     .old_dsn = As("old_db", "switchyard_capture"),
                                                     .new_dsn = As("new_db", "switchyard_replay"),
                                                     .stream = "shop.forward",
                                                     .log_folder = folder_});
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }

  static std::string As(const char* database, const char* role) {
    return absl::StrReplaceAll(postgres_->dsn(database), {{"user=postgres", ""}}) + " user=" + role;
  }

  ProgramResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, file_);
    auto result = RunSwitchyard(std::move(arguments), pipeline_->environment(), absl::Seconds(120));
    if (!result.ok()) {
      return {.exit_code = -1, .output = std::string(StdSv(result.status().message()))};
    }
    return *std::move(result);
  }
  // Of verify --json; what else the program says goes before it.
  Json Verify(int exit_code, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"verify", "--json", "--log-level", "error"});
    const ProgramResult result = Run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.output;
    Json json = Json::parse(result.output, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << result.output;
    return json;
  }
  // Of one table of it: "300 compared, 1 missing, 0 different, 2 extra: different".
  static std::string Table(const Json& json, const std::string& table) {
    for (const Json& one : json.at("tables")) {
      if (one.at("table") != table) continue;
      return absl::StrCat(
          one.at("rows_compared").get<int64_t>(), " compared, ", one.at("missing").get<int64_t>(),
          " missing, ", one.at("different").get<int64_t>(), " different, ",
          one.at("extra").get<int64_t>(), " extra: ", one.at("verdict").get<std::string>());
    }
    return "not compared";
  }

  absl::Status OnOld(const std::string& sql) { return postgres_->Execute("old_db", sql); }
  absl::Status OnNew(const std::string& sql) { return postgres_->Execute("new_db", sql); }
  static std::string New(const std::string& sql) {
    const auto value = postgres_->Scalar("new_db", sql);
    return value.ok() ? *value : std::string(StdSv(value.status().message()));
  }

  static inline MiniPostgres* postgres_ = nullptr;
  std::string folder_;
  std::string file_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace switchyard::testing
