#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_fixture.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kOldShop[] = R"(
  CREATE SCHEMA sales; CREATE TYPE sales.mood AS ENUM ('sad', 'glad');
  CREATE TABLE "OrderItem" ("orderId" int, "Line No" int, "unitPrice" numeric(10,2) NOT NULL,
                            PRIMARY KEY ("orderId", "Line No"));
  CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fullname text NOT NULL,
                          joined timestamp, feeling sales.mood, legacy bytea,
                          shout text GENERATED ALWAYS AS (upper(fullname)) STORED);
  CREATE TABLE sales.payments (id int, day date NOT NULL, amount numeric(12,4), PRIMARY KEY (id, day))
    PARTITION BY RANGE (day);
  CREATE TABLE sales.payments_1 PARTITION OF sales.payments FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE sales.payments_2 PARTITION OF sales.payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE notes (body text);
  CREATE TABLE audit (id int PRIMARY KEY);)";

constexpr char kNewShop[] = R"(
  CREATE TYPE mood AS ENUM ('sad', 'glad');
  CREATE TABLE order_item ("order_id" int, "Line No" int, unit_price numeric(10,2) NOT NULL,
                           PRIMARY KEY ("order_id", "Line No"));
  CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, full_name text NOT NULL,
                          joined timestamptz, feeling mood, shout text, score int NOT NULL,
                          note text, size int GENERATED ALWAYS AS (length(full_name)) STORED);
  CREATE TABLE payments (id int, day date NOT NULL, amount numeric(12,2), PRIMARY KEY (id, day));
  CREATE TABLE notes (body text PRIMARY KEY);
  CREATE TABLE people (id bigint PRIMARY KEY, fullname text, joined timestamp);)";

class CliInitTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto postgres = MiniPostgres::Start();
    ASSERT_OK(postgres);
    postgres_ = std::move(*postgres).release();
    for (const char* name : {"old_shop", "new_shop", "studio_old", "studio_new"}) {
      ASSERT_OK(postgres_->CreateDatabase(name));
    }
    ASSERT_OK(postgres_->Execute("old_shop", kOldShop));
    ASSERT_OK(postgres_->Execute("new_shop", kNewShop));
    ASSERT_OK(postgres_->Execute("studio_old", Read("old/schema.sql")));
    for (const char* step : {"N1_people", "N2_studios", "N3_logins", "N4_bookings"}) {
      ASSERT_OK(
          postgres_->Execute("studio_new", Read(absl::StrCat("new/steps/", step, "/up.sql"))));
    }
  }
  static void TearDownTestSuite() { delete postgres_; }

  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(std::string(SY_SOURCE_DIR) + "/examples/studio-bookings/" + path).rdbuf();
    return text.str();
  }
  static std::string ReadFile(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  static Environment Databases(const std::string& old_db, const std::string& new_db) {
    return {{"OLD_DSN", postgres_->dsn(old_db)}, {"NEW_DSN", postgres_->dsn(new_db)}};
  }
  // The file that init writes.
  static std::string Init(const Environment& environment) {
    const std::string path = ::testing::TempDir() + "init.yaml";
    std::filesystem::remove(path);
    const ProgramResult result =
        RunCli({"init", "OLD_DSN", "NEW_DSN", "--name", "shop", "--output", path}, environment);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return path;
  }
  // What check finds wrong with the file itself.
  static std::vector<std::string> FileFaults(const std::string& path,
                                             const Environment& environment) {
    const ProgramResult result = RunCli({"check", path, "--json"}, environment);
    const auto json = nlohmann::json::parse(result.output, nullptr, false);
    if (!json.is_object()) return {result.output};
    std::vector<std::string> messages;
    for (const auto& fault : json["faults"]) {
      if (fault["where"] == "file") messages.push_back(fault["message"]);
    }
    return messages;
  }

  static inline MiniPostgres* postgres_ = nullptr;
};

TEST_F(CliInitTest, CheckOfItsFileHasNothingToSayButItsQuestions) {
  const Environment environment = Databases("old_shop", "new_shop");
  const std::string path = Init(environment);
  const std::string text = ReadFile(path);
  SCOPED_TRACE(text);
  EXPECT_THAT(text, HasSubstr("copy: OrderItem  # guessed"));
  EXPECT_THAT(text, HasSubstr("orderId: order_id  # guessed"));
  EXPECT_THAT(text, HasSubstr("unitPrice: unit_price  # guessed"));
  EXPECT_THAT(text, HasSubstr("fullname: full_name  # guessed"));
  EXPECT_THAT(text, HasSubstr("shout: \"upper(fullname)\"  # guessed"));
  EXPECT_THAT(text, HasSubstr("schemas: [public, sales]"));
  EXPECT_THAT(text, Not(HasSubstr("payments_1")));
  EXPECT_THAT(text, Not(HasSubstr(postgres_->dsn("old_shop"))));
  for (const std::string& fault : FileFaults(path, environment)) {
    const bool asked = absl::StrContains(fault, "customers.legacy has no column") ||
                       absl::StrContains(fault, "public.customers.score is NOT NULL") ||
                       absl::StrContains(fault, "public.payments.amount is numeric(12,2)") ||
                       absl::StrContains(fault, "public.notes has no primary key");
    EXPECT_TRUE(asked) << fault;
  }
}

TEST_F(CliInitTest, WithItsQuestionsAnsweredCheckFindsNothingInTheFile) {
  const Environment environment = Databases("old_shop", "new_shop");
  const std::string path = Init(environment);
  const std::string answered = absl::StrReplaceAll(
      ReadFile(path), {{"# joined: \"\\\"joined\\\" AT TIME ZONE 'UTC'\"",
                        "joined: \"\\\"joined\\\" AT TIME ZONE 'UTC'\""},
                       {"# score: \"SAY_WHAT\"", "score: \"0\""},
                       {"# set:\n      #   amount: ", "set:\n        amount: "},
                       {"# drop:\n      #   - legacy", "drop:\n        - legacy"}});
  std::ofstream(path) << answered;
  SCOPED_TRACE(answered);
  ASSERT_OK(postgres_->Execute("old_shop", "ALTER TABLE notes ADD PRIMARY KEY (body)"));
  EXPECT_THAT(FileFaults(path, environment), IsEmpty());
  ASSERT_OK(postgres_->Execute(
      "old_shop", "ALTER TABLE notes DROP CONSTRAINT notes_pkey, ALTER body DROP NOT NULL"));
}

TEST_F(CliInitTest, OfTheExampleItTellsTablesThatStayedFromThoseThatAreNew) {
  const Environment environment = Databases("studio_old", "studio_new");
  const std::string path = Init(environment);
  const std::string text = ReadFile(path);
  SCOPED_TRACE(text);
  EXPECT_THAT(text, HasSubstr("- table: public.studios\n      copy: studios"));
  EXPECT_THAT(text, HasSubstr("# - table: public.users\n"));
  EXPECT_THAT(text, HasSubstr("the name of OLD's public.customers"));
  for (const std::string& fault : FileFaults(path, environment)) {
    const size_t column = fault.find('.');
    ASSERT_NE(column, std::string::npos) << fault;
    EXPECT_THAT(text, HasSubstr("# ?")) << fault;
  }
}

TEST_F(CliInitTest, AConnectionStringIsRefusedAndNotRepeated) {
  const ProgramResult result =
      RunCli({"init", "host=db1 password=hunter2", "NEW_DSN"}, Databases("old_shop", "new_shop"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("OLD is a connection string"));
  EXPECT_THAT(result.output, Not(HasSubstr("hunter2")));
}

TEST_F(CliInitTest, ANameThatIsNeitherVariableNorFileIsRefused) {
  const ProgramResult result =
      RunCli({"init", "no/such.dsn", "NEW_DSN"}, Databases("old_shop", "new_shop"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("\"no/such.dsn\" is neither"));
}

TEST_F(CliInitTest, AFileThatIsThereIsNotOverwritten) {
  const std::string path = WriteTempFile("kept.yaml", "mine");
  const ProgramResult result =
      RunCli({"init", "OLD_DSN", "NEW_DSN", "--output", path}, Databases("old_shop", "new_shop"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("is there already"));
  EXPECT_EQ(ReadFile(path), "mine");
}

TEST_F(CliInitTest, FilesThatHoldTheStringsAreNamedAsTheFileSeesThem) {
  const std::string folder = ::testing::TempDir() + "init_dsn";
  std::filesystem::create_directories(folder + "/secret");
  std::filesystem::remove(folder + "/shop.yaml");
  std::ofstream(folder + "/secret/old.dsn") << postgres_->dsn("old_shop");
  const ProgramResult result =
      RunCli({"init", folder + "/secret/old.dsn", "NEW_DSN", "--output", folder + "/shop.yaml"},
             Databases("old_shop", "new_shop"));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(ReadFile(folder + "/shop.yaml"), HasSubstr("old: {dsn_file: \"secret/old.dsn\"}"));
}

}  // namespace
}  // namespace switchyard::testing
