// The roles, run by the least privileged logins that --print-setup makes.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  EXPECT_THAT(status.output, HasSubstr("log         file of "));
  ASSERT_OK(pipeline_->Stop());  // SIGTERM: ends with 0 within 10 s
}

TEST_F(CliRunTest, CheckNamesEachGrantThatIsMissing) {
  Prepare();
  ASSERT_OK(postgres_->Execute("old_db", "REVOKE SELECT ON orders FROM switchyard_capture"));
  ASSERT_OK(postgres_->Execute("new_db", R"(
    REVOKE DELETE ON orders FROM switchyard_replay;
    REVOKE USAGE ON SCHEMA lookup FROM switchyard_replay;
    REVOKE CREATE ON SCHEMA switchyard_old FROM switchyard_replay)"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_NE(check.exit_code, 0);
  for (const char* expected :
       {"old: role \"switchyard_capture\" may not read table public.orders",
        "new: role \"switchyard_replay\" may not write table public.orders",
        "new: role \"switchyard_replay\" may not use schema \"lookup\"",
        "new: role \"switchyard_replay\" may not use and create in schema switchyard_old"}) {
    EXPECT_THAT(check.output, HasSubstr(expected));
  }
}

// A login with no rights at all, as one has that was made by hand.
TEST_F(CliRunTest, ARoleWithoutAnyRightsIsToldAllOfThem) {
  Prepare();
  ASSERT_OK(postgres_->Execute("old_db", "CREATE ROLE bare LOGIN"));
  Environment bare = Roles();
  for (auto& [name, dsn] : bare) dsn += " user=bare";
  for (const char* command : {"check", "replay"}) {
    const ProgramResult result = RunCli({command, file_}, bare);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.output, HasSubstr("may not use and create in schema switchyard"));
    EXPECT_THAT(result.output, HasSubstr("role \"bare\" may not write table public.orders"));
  }
  EXPECT_THAT(RunCli({"check", file_}, bare).output,
              HasSubstr("warning: the mapping is held against both databases once the rights are"));
}

// Its recheck is a trigger that session_replication_role = replica leaves out.
TEST_F(CliRunTest, ADeferrableConstraintOfNewIsRefusedUntilItsRecheckIsAlwaysRun) {
  ASSERT_OK(postgres_->Execute("new_db", R"(
    ALTER TABLE orders ADD CONSTRAINT "one each" UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE people ADD COLUMN span int4range,
      ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&) DEFERRABLE)"));
  Prepare();
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 1);
  const std::string trigger = New(R"(
    SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND tgconstraint <> 0)");
  EXPECT_THAT(check.output,
              HasSubstr("new: constraint \"one each\" of public.orders is DEFERRABLE"));
  EXPECT_THAT(check.output, HasSubstr("new: constraint \"apart\" of public.people is DEFERRABLE"));
  EXPECT_THAT(check.output, HasSubstr("DROP CONSTRAINT \"one each\", ADD CONSTRAINT \"one each\" "
                                      "UNIQUE (amount);"));
  const std::string always =
      "ALTER TABLE \"public\".\"orders\" ENABLE ALWAYS TRIGGER \"" + trigger + "\";";
  EXPECT_THAT(check.output, HasSubstr(always));
  const ProgramResult run = RunCli({"run", file_}, Roles());
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("constraint \"one each\" of public.orders is DEFERRABLE"));
  ASSERT_OK(postgres_->Execute("new_db",
                               always + "ALTER TABLE people DROP CONSTRAINT apart, "
                                        "ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&)"));
  const ProgramResult mended = RunCli({"check", file_}, Roles());
  EXPECT_EQ(mended.exit_code, 0) << mended.output;
}

// A partition made later would bring a recheck that is silent again.
TEST_F(CliRunTest, ADeferrableConstraintOfAPartitionedTableIsRefused) {
  ASSERT_OK(postgres_->Execute("new_db", R"(
    DROP TABLE orders;
    CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL, UNIQUE (id, amount) DEFERRABLE)
      PARTITION BY RANGE (id);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10000);
    ALTER TABLE orders_1 ADD CONSTRAINT own UNIQUE (amount) DEFERRABLE)"));
  Prepare();
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.output,
              HasSubstr("new: constraint \"orders_id_amount_key\" of public.orders is DEFERRABLE"));
  EXPECT_THAT(check.output,
              HasSubstr("ADD CONSTRAINT \"orders_id_amount_key\" UNIQUE (id, amount);"));
  EXPECT_THAT(check.output, HasSubstr("new: constraint \"own\" of public.orders_1 is DEFERRABLE"));
  EXPECT_THAT(check.output, HasSubstr("2 faults"));
}

// Found before a copy of hours, not after it.
TEST_F(CliRunTest, CheckNamesWhatTheStepsAfterTheCopyLack) {
  std::ofstream(folder_ + "/steps.sql") << R"(
    CREATE INDEX amounts ON orders (amount);
    ALTER TABLE public.orders ADD CONSTRAINT positive CHECK (amount > 0);
    ALTER TABLE orders ADD FOREIGN KEY (amount) REFERENCES lookup.numbers (n);
    ALTER TABLE IF EXISTS people ADD CONSTRAINT later UNIQUE (members, email) DEFERRABLE;
    CREATE INDEX ON order_lines (id);
    CREATE INDEX ON orders (id, amuont) INCLUDE (amount);
    ALTER TABLE IF EXISTS leftover ADD UNIQUE (x);
    ALTER TABLE people ADD FOREIGN KEY (members) REFERENCES lookup.numbers (number);
    CREATE TABLE made_by_a_step (y int);
    ALTER TABLE made_by_a_step ADD COLUMN x int;)";
  std::ofstream(file_, std::ios::app) << "after_copy: [steps.sql]\n";
  ASSERT_OK(postgres_->Execute("new_db", R"(
    CREATE TABLE lookup.numbers AS SELECT n FROM generate_series(1, 1000) n;
    ALTER TABLE lookup.numbers ADD PRIMARY KEY (n);
    CREATE ROLE shop_owner; ALTER TABLE orders OWNER TO shop_owner)"));
  Prepare();
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 1);
  const std::string steps = "new: after_copy: " + folder_ + "/steps.sql ";
  for (const std::string& expected :
       {steps + "indexes \"orders\", which belongs to shop_owner, not to role switchyard_replay\n"
                "    ALTER TABLE \"orders\" OWNER TO switchyard_replay;\n"
                "    -- or: GRANT shop_owner TO switchyard_replay;\n",
        steps + "makes an index in schema public, where role switchyard_replay may create nothing",
        steps + "alters \"public\".\"orders\", which belongs to shop_owner",
        steps + "makes a foreign key to \"lookup\".\"numbers\", which role switchyard_replay may "
                "not refer to\n    GRANT REFERENCES ON \"lookup\".\"numbers\"",
        steps + "alters \"people\", which belongs to postgres",
        steps + "adds a DEFERRABLE constraint to \"people\"",
        steps + "indexes \"order_lines\", which does not exist",
        steps + "indexes \"orders\" by column \"amuont\", which does not exist",
        steps + "makes a foreign key to \"lookup\".\"numbers\" by column \"number\", which does"}) {
    EXPECT_THAT(check.output, HasSubstr(expected));
  }
  EXPECT_THAT(check.output, Not(HasSubstr("leftover")));
  EXPECT_THAT(check.output, Not(HasSubstr("made_by_a_step")));
  const ProgramResult run = RunCli({"run", file_}, Roles());
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("ALTER TABLE \"orders\" OWNER TO switchyard_replay"));
  std::ofstream(folder_ + "/steps.sql") << R"(
    CREATE INDEX amounts ON orders (amount);
    ALTER TABLE orders ADD FOREIGN KEY (amount) REFERENCES lookup.numbers (n);)";
  ASSERT_OK(postgres_->Execute("new_db", R"(
    GRANT shop_owner TO switchyard_replay; GRANT CREATE ON SCHEMA public TO switchyard_replay;
    GRANT USAGE ON SCHEMA lookup TO shop_owner;
    GRANT CREATE ON SCHEMA public TO shop_owner;
    GRANT REFERENCES ON lookup.numbers TO switchyard_replay;
    GRANT SELECT ON lookup.numbers TO switchyard_replay)"));
  const ProgramResult mended = RunCli({"check", file_}, Roles());
  EXPECT_EQ(mended.exit_code, 0) << mended.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(testing::Await("the refused start is forgotten", absl::Seconds(30), [&] {
    return New("SELECT state FROM switchyard.stream") != "stopped";
  }));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM pg_class WHERE relname = 'amounts'"), "1");
  ASSERT_OK(pipeline_->Stop());
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
  EXPECT_THAT(list.output, HasSubstr("next: mend the value in OLD or in the mapping"));
  EXPECT_THAT(list.output, Not(HasSubstr("5000")));
  const std::string id(list.output.substr(0, list.output.find(' ')));
  const ProgramResult show = RunCli({"quarantine", file_, "show", id}, Roles());
  EXPECT_EQ(show.exit_code, 1);
  EXPECT_THAT(show.output, HasSubstr("row of OLD: {"));
  EXPECT_THAT(show.output, HasSubstr("5000"));
  EXPECT_THAT(show.output, HasSubstr("detail: Failing row contains"));
  const ProgramResult json = RunCli({"quarantine", file_, "list", "--json"}, Roles());
  EXPECT_THAT(json.output, HasSubstr("\"total\": 1"));
  EXPECT_THAT(json.output, HasSubstr("\"scope\": {\n        \"id\": \"7\"\n"));
  EXPECT_THAT(json.output, HasSubstr("\"next\": \"mend the value"));
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
      RunCli({"quarantine", file_, "retry", "--wait", "1h", "--json"}, Roles());
  EXPECT_EQ(retry.exit_code, 4);
  EXPECT_THAT(retry.output, HasSubstr("\"result\": \"inconclusive\""));
  EXPECT_THAT(retry.output, HasSubstr("no replayer runs"));  // told at once
}

// What one transaction does can't be seen before it ends; where it is, can.
TEST_F(CliRunTest, StatusShowsTheStepThatALongTransactionIsAt) {
  Prepare();
  ASSERT_OK(postgres_->Execute("new_db", R"(
    CREATE FUNCTION await() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
    CREATE TRIGGER await BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION await();
    ALTER TABLE people ENABLE ALWAYS TRIGGER await)"));
  ASSERT_OK_AND_ASSIGN(const auto holder, postgres_->Connect("new_db"));
  ASSERT_OK(holder->Execute("SELECT pg_advisory_lock(42)"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ProgramResult status;
  EXPECT_OK(Await("status shows it", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    status = RunCli({"status", file_}, Roles());
    return status.output.find("step ") != std::string::npos;
  })) << status.output;
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.output, HasSubstr("shop.forward  copying"));
  EXPECT_THAT(status.output,
              HasSubstr("replay      fills NEW's tables from what was copied; step "));
  EXPECT_THAT(status.output, HasSubstr(" of 2: fills public.people, for "));
  ASSERT_OK(holder->Execute("SELECT pg_advisory_unlock(42)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  status = RunCli({"status", file_}, Roles());
  EXPECT_THAT(status.output, Not(HasSubstr("step ")));
  EXPECT_THAT(status.output, Not(HasSubstr("fills")));
  ASSERT_OK(pipeline_->Stop());
}

// As timeout(1) does it: to its child, and to the group the child is in.
TEST_F(CliRunTest, ASignalThatComesTwiceAtOnceIsOne) {
  Prepare();
  ASSERT_OK_AND_ASSIGN(const std::string log, MakeTempFolder("signals"));
  ASSERT_OK_AND_ASSIGN(const auto run, SwitchyardProcess::Start({.arguments = {"run", file_},
                                                                 .environment = Roles(),
                                                                 .output_path = log + "/run"}));
  ASSERT_OK(Await("it streams", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return New("SELECT state FROM switchyard.stream") == "streaming";
  }));
  EXPECT_FALSE(run->Terminate(absl::ZeroDuration()).ok());
  ASSERT_OK_AND_ASSIGN(const int code, run->Terminate());
  EXPECT_EQ(code, 0) << ReadFileOrEmpty(log + "/run");
  EXPECT_THAT(ReadFileOrEmpty(log + "/run"), Not(HasSubstr("second signal")));
  std::filesystem::remove_all(log);
}

// What NEW needs next may have gone from the log while nobody looked.
TEST_F(CliRunTest, CheckFindsThatTheLogDoesNotReachNew) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop());
  EXPECT_EQ(RunCli({"check", file_}, Roles()).exit_code, 0);
  ASSERT_OK(postgres_->Execute("new_db",
                               "UPDATE switchyard.stream SET log_offset = log_offset + 1000000"));
  const ProgramResult beyond = RunCli({"check", file_}, Roles());
  EXPECT_EQ(beyond.exit_code, 1) << beyond.output;
  EXPECT_THAT(beyond.output, HasSubstr("of topic shop.forward.changes, which holds 0 to "));
  EXPECT_THAT(beyond.output, HasSubstr("switchyard recopy FILE --all"));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(folder_ + "/shop.log.db" + suffix);
  }
  const ProgramResult gone = RunCli({"check", file_}, Roles());
  EXPECT_EQ(gone.exit_code, 1) << gone.output;
  EXPECT_THAT(gone.output, HasSubstr("shop.log.db is gone, and NEW needs the log from record"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/shop.log.db"));
}

}  // namespace
}  // namespace switchyard::testing
