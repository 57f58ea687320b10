// The end of a migration: nothing of it stays, and every row of NEW does.
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CliTeardownTest : public CliRunTest {
 protected:
  Environment Owners() const {
    return {{"OLD_DSN", postgres_->dsn("old_db")}, {"NEW_DSN", postgres_->dsn("new_db")}};
  }
  ProgramResult Teardown(const Environment& environment, const char* option = "--yes") {
    return RunCli({"teardown", file_, option}, environment);
  }
  std::string Left(const char* database) {
    const auto left = postgres_->Scalar(database, R"(
      SELECT concat_ws(' ', (SELECT string_agg(slot_name, ' ') FROM pg_replication_slots
                             WHERE database = current_database()),
                       (SELECT string_agg(pubname, ' ') FROM pg_publication),
                       (SELECT string_agg(nspname, ' ') FROM pg_namespace
                        WHERE nspname LIKE 'switchyard%')))");
    return left.ok() ? *left : std::string(StdSv(left.status().message()));
  }
  void ExpectNothingLeft() {
    EXPECT_EQ(Left("old_db"), "");
    EXPECT_EQ(Left("new_db"), "");
    for (const char* suffix : {"", "-wal", "-shm", "-reserve"}) {
      EXPECT_FALSE(std::filesystem::exists(folder_ + "/shop.log.db" + suffix)) << suffix;
    }
    const ProgramResult again = Teardown(Owners());
    EXPECT_EQ(again.exit_code, 0) << again.output;
    EXPECT_EQ(again.output, "shop: nothing of it is left on OLD, on NEW and on the log\n");
  }
};

TEST_F(CliTeardownTest, TakesAllOfAStreamAwayAndNoRowOfNew) {
  // The mirror has a type of its own then.
  std::ofstream(file_) << absl::StrReplaceAll(kFile, {{"min(k.name)", "min(c.tone)::text"}});
  ASSERT_OK(postgres_->Execute("old_db",
                               "CREATE TYPE tone AS ENUM ('low'); ALTER TABLE customers "
                               "ADD tone tone NOT NULL DEFAULT 'low'"));
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  const ProgramResult running = Teardown(Owners());
  EXPECT_EQ(running.exit_code, 1);
  EXPECT_THAT(running.output,
              AllOf(HasSubstr("capture still runs (OLD's backend pid "), HasSubstr(", since 20"),
                    HasSubstr("replay still runs (NEW's backend pid "),
                    HasSubstr("next: end every role, with every standby")));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.stream"), "1");
  ASSERT_OK(pipeline_->Stop());

  const ProgramResult unasked = RunCli({"teardown", file_}, Owners());
  EXPECT_EQ(unasked.exit_code, 2);
  EXPECT_THAT(unasked.output, HasSubstr("then say --yes"));
  const ProgramResult shown = Teardown(Roles(), "--print");
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_THAT(shown.output,
              AllOf(HasSubstr("\nSELECT pg_drop_replication_slot('switchyard_shop_forward');\n"),
                    HasSubstr("-- OLD: publication switchyard_shop_forward (as postgres)\n"),
                    HasSubstr("-- rm " + folder_ + "/shop.log.db\n")));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.stream"), "1");

  // What the roles made is theirs; the rest is told.
  const ProgramResult roles = Teardown(Roles());
  EXPECT_EQ(roles.exit_code, 1) << roles.output;
  EXPECT_THAT(
      roles.output,
      HasSubstr("  OLD  publication switchyard_shop_forward: must be owner of publication "
                "switchyard_shop_forward (SQLSTATE 42501)\n    next: DROP PUBLICATION IF EXISTS "
                "\"switchyard_shop_forward\"; (as postgres)\n"));
  EXPECT_EQ(Left("old_db"), "switchyard_shop_forward switchyard");
  const ProgramResult owners = RunCli({"teardown", file_, "--yes", "--json"}, Owners());
  EXPECT_EQ(owners.exit_code, 0) << owners.output;
  EXPECT_THAT(owners.output, HasSubstr("\"complete\": true"));
  ExpectNothingLeft();
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  EXPECT_EQ(New("SELECT count(*) FROM people"), "2");

  // It may begin anew, once the tables are empty.
  ASSERT_OK(postgres_->Execute("new_db", "TRUNCATE orders, people"));
  Prepare();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliTeardownTest, AlsoOfATryThatNeverBegan) {
  ExpectNothingLeft();
  Prepare();
  const ProgramResult done = Teardown(Owners());
  EXPECT_EQ(done.exit_code, 0) << done.output;
  ExpectNothingLeft();
}

TEST_F(CliTeardownTest, OneSideGoesWhenTheOtherIsGoneForGood) {
  constexpr char kNowhere[] = "host=/nowhere dbname=gone";
  const auto teardown = [&](const char* side, const char* gone) {
    Environment environment = Owners();
    for (auto& [name, value] : environment) {
      if (name == gone) value = kNowhere;
    }
    EXPECT_NE(RunCli({"teardown", file_, "--yes"}, environment).exit_code, 0);
    return RunCli({"teardown", file_, "--yes", "--only", side}, environment);
  };
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_THAT(teardown("new", "OLD_DSN").output, HasSubstr("replay still runs (NEW's backend"));
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult of_new = teardown("new", "OLD_DSN");
  EXPECT_EQ(of_new.exit_code, 0) << of_new.output;
  EXPECT_THAT(of_new.output, AllOf(HasSubstr("OLD was not looked at."), HasSubstr("--only old\n"),
                                   HasSubstr("  log  file ")));
  EXPECT_EQ(Left("new_db"), "");
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  EXPECT_EQ(Left("old_db"), "switchyard_shop_forward switchyard_shop_forward switchyard");
  const ProgramResult of_old = teardown("old", "NEW_DSN");
  EXPECT_EQ(of_old.exit_code, 0) << of_old.output;
  EXPECT_THAT(of_old.output, HasSubstr("NEW was not looked at."));
  ExpectNothingLeft();
}

TEST_F(CliTeardownTest, LeavesWhatOthersUse) {
  Prepare();
  ASSERT_OK(postgres_->Execute("old_db", R"(
    INSERT INTO switchyard.capture_stream (stream, slot, publication, state, system_identifier,
      timeline) VALUES ('other.forward', 's', 'p', 'creating', '1', 1),
      ('shop.forward', 's', 'p', 'creating', '1', 1))"));
  ASSERT_OK(postgres_->Execute("new_db", R"(
    CREATE TABLE sales (id uuid DEFAULT switchyard.uuid_of('sale', 'x')))"));
  const ProgramResult done = Teardown(Owners());
  EXPECT_EQ(done.exit_code, 1) << done.output;
  EXPECT_THAT(done.output,
              AllOf(HasSubstr("schema switchyard of OLD stays, with what is in it: "
                              "other.forward uses it"),
                    HasSubstr("(SQLSTATE 2BP01): default value for column id of table "),
                    Not(HasSubstr("CASCADE"))));
  EXPECT_EQ(Left("old_db"), "switchyard");
  EXPECT_EQ(*postgres_->Scalar("old_db",
                               "SELECT string_agg(stream, ' ') FROM "
                               "switchyard.capture_stream"),
            "other.forward");
  EXPECT_EQ(Left("new_db"), "switchyard");
  EXPECT_EQ(New("SELECT count(*) FROM pg_attrdef"), "1");
}

}  // namespace
}  // namespace switchyard::testing
