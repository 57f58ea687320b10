#include <algorithm>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_fixture.h"
#include "tests/support/await.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
    "forward: [{table: public.users, copy: customers}]\n";

class CliStatusTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto postgres = MiniPostgres::Start();
    ASSERT_OK(postgres);
    postgres_ = std::move(*postgres).release();
    ASSERT_OK(postgres_->CreateDatabase("old_db"));
    ASSERT_OK(postgres_->CreateDatabase("new_db"));
    ASSERT_OK(postgres_->Execute("old_db", "CREATE TABLE customers (id int PRIMARY KEY)"));
  }
  static void TearDownTestSuite() { delete postgres_; }

  static Environment Dsns() {
    return {{"OLD_DSN", postgres_->dsn("old_db")}, {"NEW_DSN", postgres_->dsn("new_db")}};
  }
  static ProgramResult Status(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"status", WriteTempFile("status.yaml", kFile)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments, Dsns());
  }

  static inline MiniPostgres* postgres_ = nullptr;
};

TEST_F(CliStatusTest, ShowsAMigrationThatHasNotBegun) {
  const ProgramResult result = Status();
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr("shop.forward  new\n"
                                       "  no role runs: nothing is captured, nothing is applied\n"
                                       "    next: switchyard run FILE\n"));
  EXPECT_THAT(result.output, HasSubstr("lag         unknown\n"));
  EXPECT_THAT(result.output, HasSubstr("slot        none\n"));
}

TEST_F(CliStatusTest, ShowsWhatIsKnownWhenOneDatabaseIsDown) {
  const ProgramResult result = RunCli({"status", WriteTempFile("status.yaml", kFile), "--json"},
                                      {{"OLD_DSN", postgres_->dsn("old_db")},
                                       {"NEW_DSN", "host=127.0.0.1 port=1 password=hunter2"}});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.output, HasSubstr("\"state\": \"unknown\""));
  EXPECT_THAT(result.output, HasSubstr("\"source_lsn\": \"0/"));
  EXPECT_THAT(result.output, HasSubstr("Connection refused"));
  EXPECT_THAT(result.output, Not(HasSubstr("hunter2")));
}

TEST_F(CliStatusTest, WatchWritesALineEachTimeUntilItIsToldToEnd) {
  ASSERT_OK_AND_ASSIGN(const std::string folder, MakeTempFolder("watch"));
  const std::string output = folder + "/output";
  ASSERT_OK_AND_ASSIGN(
      const auto watch,
      SwitchyardProcess::Start({.arguments = {"status", WriteTempFile("status.yaml", kFile),
                                              "--watch", "--json", "--interval", "100ms"},
                                .environment = Dsns(),
                                .output_path = output}));
  EXPECT_OK(Await("three lines", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    const std::string text = ReadFileOrEmpty(output);
    return std::count(text.begin(), text.end(), '\n') >= 3;
  }));
  ASSERT_OK_AND_ASSIGN(const int code, watch->Terminate());
  EXPECT_EQ(code, 0);
  std::filesystem::remove_all(folder);
}

TEST_F(CliStatusTest, RefusesAnIntervalWithoutAUnit) {
  EXPECT_EQ(Status({"--watch", "--interval", "5"}).exit_code, 2);
}

TEST_F(CliStatusTest, ShowsWhyACaptureStandsStill) {
  const ProgramResult setup =
      RunCli({"check", WriteTempFile("status.yaml", kFile), "--print-setup"}, Dsns());
  ASSERT_EQ(setup.exit_code, 0) << setup.output;
  ASSERT_OK(postgres_->Execute("old_db", setup.output));
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "INSERT INTO switchyard.capture_stream (stream, slot, publication, state, epoch, "
      "system_identifier, timeline, refusal) VALUES ('shop.forward', 's', 'p', 'streaming', 4, "
      "'1', 1, 'the slot is gone');"
      "INSERT INTO switchyard.capture_suspect (stream, relation_id, schema_name, table_name, "
      "reason, next_step, seen_lsn) VALUES ('shop.forward', 1, 'public', 'customers', "
      "'rewritten', 'copy it again', '0/1'), ('shop.forward', 2, 'public', 'orders', 'x', 'y', "
      "'0/1'), ('shop.forward', 1, 'public', 'customers', 'not in the publication', "
      "'add it; then copy it again', '0/1')"));
  const ProgramResult result = Status();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("shop.forward  stopped  epoch 4\n"
                                       "  capture: the slot is gone\n"));
  EXPECT_THAT(result.output,
              HasSubstr("suspect     public.customers: rewritten; not in the publication\n"
                        "              next: add it; then copy it again\n"));
  ASSERT_OK(postgres_->Execute("old_db", "DELETE FROM switchyard.capture_stream"));
}

}  // namespace
}  // namespace switchyard::testing
