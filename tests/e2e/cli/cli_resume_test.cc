// switchyard resume, after a change on OLD and after one of the migration file.
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CliResumeTest : public CliRunTest {
 protected:
  void StartAndCatchUp() {
    Prepare();
    StartPipeline();
    ASSERT_OK(pipeline_->Start("capture"));
    ASSERT_OK(pipeline_->Start("replay"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }
  void Rewrite(const std::string& from, const std::string& to) {
    const std::string text = absl::StrReplaceAll(kFile, {{from, to}});
    ASSERT_NE(text, kFile);
    std::ofstream(file_) << text;
  }
  void AwaitStop() {
    ASSERT_OK(Await("the replayer's end", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      return New("SELECT state FROM switchyard.stream") == "stopped";
    }));
    pipeline_->Kill("replay");
  }
  std::string OrdersOf(const std::string& database) {
    const auto rows =
        postgres_->Scalar(database, "SELECT string_agg(o::text, ' ' ORDER BY o.id) FROM orders o");
    return rows.ok() ? *rows : std::string(StdSv(rows.status().message()));
  }
  std::string StopReason() { return New("SELECT stop_reason FROM switchyard.stream"); }
  std::string People() {
    return New(
        "SELECT string_agg(email || ' ' || members || ' ' || kind, ', ' ORDER BY email) "
        "FROM people");
  }
};

TEST_F(CliResumeTest, AColumnRenamedOnOldStopsTheStreamUntilTheFileSaysSo) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  for (const char* transaction :
       {"UPDATE orders SET amount = 7 WHERE id = 1", "ALTER TABLE orders RENAME amount TO total",
        "UPDATE orders SET total = 8 WHERE id = 2"}) {
    ASSERT_OK(postgres_->Execute("old_db", transaction));
  }
  ASSERT_OK(Await("the replayer's end", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return New("SELECT state FROM switchyard.stream") == "stopped";
  }));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("column amount of public.orders was dropped or renamed"));
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 1"), "7");  // nothing before it is lost
  pipeline_->Kill("replay");

  ASSERT_NO_FATAL_FAILURE(Rewrite("copy: orders}", "copy: orders, rename: {total: amount}}"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("mapping public.orders"));
  EXPECT_THAT(resume.output, HasSubstr("copied again:  public.orders"));
  EXPECT_EQ(New("SELECT state FROM switchyard.stream"), "catching_up");
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 2"), "8");
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET total = 9 WHERE id = 3"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 3"), "9");
  ASSERT_OK(pipeline_->Stop());
}

// What was written between two changes of shape is in the copy, and need not be read.
TEST_F(CliResumeTest, TheLogMayHoldRowsOfEveryShapeBeforeTheResume) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop("replay"));
  for (const char* sql :
       {"INSERT INTO orders VALUES (101, 1)", "ALTER TABLE orders ALTER amount TYPE bigint",
        "UPDATE orders SET amount = 2 WHERE id = 1; DELETE FROM orders WHERE id = 2",
        "ALTER TABLE orders ALTER amount TYPE numeric", "INSERT INTO orders VALUES (102, 6.5)",
        "BEGIN; INSERT INTO orders VALUES (103, 3); ALTER TABLE orders RENAME amount TO total; "
        "INSERT INTO orders VALUES (104, 4); COMMIT"}) {
    ASSERT_OK(postgres_->Execute("old_db", sql));
  }
  ASSERT_OK(postgres_->Execute("new_db",
                               "ALTER TABLE orders RENAME amount TO total;"
                               "ALTER TABLE orders ALTER total TYPE numeric"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("copied again:  public.orders"));
  EXPECT_EQ(New("SELECT state FROM switchyard.stream"), "catching_up");
  // Asked again before anything is swapped in, with one more shape.
  for (const char* sql :
       {"INSERT INTO orders VALUES (105, 5.5)", "ALTER TABLE orders ALTER total TYPE float8",
        "UPDATE orders SET total = 7.5 WHERE id = 3"}) {
    ASSERT_OK(postgres_->Execute("old_db", sql));
  }
  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders ALTER total TYPE float8"));
  const ProgramResult again = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.request WHERE kind = 'recopy'"), "1");
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(OrdersOf("new_db"), OrdersOf("old_db"));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET total = 8 WHERE id = 4"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(OrdersOf("new_db"), OrdersOf("old_db"));
  ASSERT_OK(pipeline_->Stop());
}

// The mapping fits again, but rows on the log do not: either command leads past them.
TEST_F(CliResumeTest, AShapeThatCameAndWentIsLedPastByResumeAndByRecopy) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  for (const char* way : {"resume", "recopy"}) {
    for (const char* sql :
         {"BEGIN; UPDATE orders SET amount = amount + 1 WHERE id = 1; ALTER TABLE orders ALTER "
          "amount TYPE bigint; UPDATE orders SET amount = amount + 1 WHERE id = 2; COMMIT",
          "INSERT INTO orders SELECT max(id) + 1, 7 FROM orders",
          "ALTER TABLE orders ALTER amount TYPE int", "DELETE FROM orders WHERE id % 10 = 9"}) {
      ASSERT_OK(postgres_->Execute("old_db", sql));
    }
    AwaitStop();
    EXPECT_THAT(StopReason(), HasSubstr("column amount of public.orders changed its type"));
    ASSERT_OK(pipeline_->Start("replay"));  // at once: its changes would wait for ever
    ASSERT_OK(Await("the end", absl::Seconds(30),
                    [&] { return !pipeline_->process("replay")->Alive(); }));
    AwaitStop();
    EXPECT_THAT(StopReason(), HasSubstr("run: switchyard resume FILE"));
    std::vector<std::string> arguments = {way, file_};
    if (std::string(way) == "recopy") arguments.push_back("orders");
    const ProgramResult led = RunCli(arguments, Roles());
    ASSERT_EQ(led.exit_code, 0) << led.output;
    EXPECT_THAT(led.output, HasSubstr("public.orders"));
    ASSERT_OK(pipeline_->Start("replay"));
    ASSERT_OK(Await("the stream to go on", absl::Seconds(30),
                    [&] { return New("SELECT state FROM switchyard.stream") == "streaming"; }));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(OrdersOf("new_db"), OrdersOf("old_db"));
  }
  ASSERT_OK(pipeline_->Stop());
}

// Promise 8.3. The columns have the same types all the time; what these are made of hasn't.
TEST_F(CliResumeTest, ATypeThatWasAnotherForAWhileIsLedPastByResumeAndByRecopy) {
  std::ofstream(file_) << R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
forward:
  - {table: public.notes, copy: notes, set: {mood: "mood::text", place: "place::text"}}
)";
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TYPE place AS (x int, y int);
    CREATE TABLE notes (id int PRIMARY KEY, mood mood, place place);
    INSERT INTO notes VALUES (1, 'ok', '(1,1)'))"));
  ASSERT_OK(postgres_->Execute("new_db",
                               "CREATE TABLE notes (id int PRIMARY KEY, mood text, place text)"));
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  const char* const kWhile[][3] = {
      {"ALTER TYPE mood RENAME VALUE 'ok' TO 'fair'", "UPDATE notes SET mood = 'fair'",
       "ALTER TYPE mood RENAME VALUE 'fair' TO 'ok'"},
      {"ALTER TYPE place ADD ATTRIBUTE z int", "UPDATE notes SET place = '(2,2,2)'",
       "ALTER TYPE place DROP ATTRIBUTE z"}};
  for (const char* way : {"resume", "recopy"}) {
    for (const auto& statements : kWhile) {
      pipeline_->Kill("replay");
      for (const char* sql : statements) ASSERT_OK(postgres_->Execute("old_db", sql));
      ASSERT_OK(postgres_->Execute("old_db",
                                   "INSERT INTO notes SELECT max(id) + 1, 'sad', '(3,3)' "
                                   "FROM notes"));
      ASSERT_OK(pipeline_->Start("replay"));
      AwaitStop();
      EXPECT_THAT(StopReason(), HasSubstr("public.notes holds a value that can't be read here"));
      std::vector<std::string> arguments = {way, file_};
      if (std::string(way) == "recopy") arguments.push_back("notes");
      const ProgramResult led = RunCli(arguments, Roles());
      ASSERT_EQ(led.exit_code, 0) << led.output;
      ASSERT_OK(pipeline_->Start("replay"));
      ASSERT_OK(Await("the stream to go on", absl::Seconds(30),
                      [&] { return New("SELECT state FROM switchyard.stream") == "streaming"; }));
      ASSERT_OK(pipeline_->AwaitCaughtUp());
      const char* const rows = "SELECT string_agg(n::text, ' ' ORDER BY n.id) FROM notes n";
      EXPECT_EQ(New(rows), *postgres_->Scalar("old_db", rows)) << way << " " << statements[0];
    }
  }
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, AnotherTableThatTookTheNameIsResumedNotRecopied) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(BEGIN;
    CREATE TABLE orders_new AS SELECT id, amount * 2 AS amount FROM orders;
    ALTER TABLE orders_new ADD PRIMARY KEY (id), ALTER amount SET NOT NULL;
    ALTER TABLE orders RENAME TO orders_old; ALTER TABLE orders_new RENAME TO orders; COMMIT)"));
  Prepare();
  const ProgramResult refused = RunCli({"recopy", file_, "orders"}, Roles());
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("another table than the one that is mapped"));
  ASSERT_OK(pipeline_->Stop());
  EXPECT_THAT(RunCli({"resume", file_}, Roles()).output, HasSubstr("start capture again"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(Await("capture to follow it", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"resume", file_}, Roles()).exit_code == 0;
  }));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(OrdersOf("new_db"), OrdersOf("old_db"));
  ASSERT_OK(pipeline_->Stop());
}

// Nothing is loaded yet when the mapping is compiled for what the table has become.
TEST_F(CliResumeTest, TheFirstCopyMayBeOfAnotherShape) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(Await("the copy to be on the log", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const std::string state,
                     postgres_->Scalar("old_db",
                                       "SELECT coalesce(max(state), '') FROM "
                                       "switchyard.capture_stream"));
    return state == "streaming";
  }));
  for (const char* database : {"old_db", "new_db"}) {
    ASSERT_OK(postgres_->Execute(database, "ALTER TABLE orders ALTER amount TYPE bigint"));
  }
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO orders VALUES (101, 101)"));
  ASSERT_OK(pipeline_->Start("replay"));
  AwaitStop();
  EXPECT_THAT(StopReason(), HasSubstr("run: switchyard resume FILE"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("copied again:  public.orders"));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(Await("the copy to be loaded", absl::Seconds(60),
                  [&] { return New("SELECT copy_lsn > '0/0' FROM switchyard.stream") == "t"; }));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 7 WHERE id = 1"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(OrdersOf("new_db"), OrdersOf("old_db"));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.request WHERE state = 'open'"), "0");
  ASSERT_OK(pipeline_->Stop());
}

// Nobody can copy it: the file that no longer names it leads out.
TEST_F(CliResumeTest, ATableThatGoesBeforeItsCopyIsTakenOutOfTheFile) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop("replay"));
  ASSERT_NO_FATAL_FAILURE(Rewrite("copy: orders}", "copy: orders, set: {amount: amount + 1}}"));
  ASSERT_EQ(RunCli({"resume", file_}, Roles()).exit_code, 0);
  ASSERT_OK(pipeline_->Stop("capture"));
  ASSERT_OK(postgres_->Execute("old_db", "DROP TABLE orders"));
  ASSERT_NO_FATAL_FAILURE(Rewrite("  - {table: public.orders, copy: orders}\n", ""));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("removed:       source public.orders"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO customers VALUES (4, 'c@x')"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(People(), "a@x 2 person, b@x 1 person, c@x 1 person");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.request WHERE state = 'open'"), "0");
}

// Names alone would leave every row of before as it was, for ever.
TEST_F(CliResumeTest, ColumnsThatSwapNamesOrAreMadeAgainAreCopiedAgain) {
  constexpr char kMore[] = "ALTER TABLE orders ADD a text DEFAULT 'a', ADD b text DEFAULT 'b'";
  for (const char* database : {"old_db", "new_db"}) {
    ASSERT_OK(postgres_->Execute(database, kMore));
  }
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  const auto expect_stopped_then_resumed = [&](const std::string& reason) {
    ASSERT_NO_FATAL_FAILURE(AwaitStop());
    EXPECT_THAT(StopReason(), HasSubstr(reason));
    const ProgramResult resume = RunCli({"resume", file_}, Roles());
    EXPECT_EQ(resume.exit_code, 0) << resume.output;
    EXPECT_THAT(resume.output, HasSubstr("copied again:  public.orders"));
    ASSERT_OK(pipeline_->Start("replay"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    constexpr char kOrders[] =
        "SELECT string_agg(format('%s %s %s %s', id, amount, a, b), ',' ORDER BY id) FROM orders";
    EXPECT_EQ(New(kOrders), *postgres_->Scalar("old_db", kOrders));
  };
  pipeline_->Kill("replay");
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "BEGIN; ALTER TABLE orders RENAME a TO x; ALTER TABLE orders RENAME b TO a; "
      "ALTER TABLE orders RENAME x TO b; INSERT INTO orders VALUES (200, 200, 'B', 'A'); COMMIT"));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_NO_FATAL_FAILURE(
      expect_stopped_then_resumed("column a of public.orders has another name"));

  pipeline_->Kill("capture");
  ASSERT_OK(postgres_->Execute("old_db",
                               "UPDATE orders SET amount = 5 WHERE id = 5; ALTER TABLE orders "
                               "DROP b, ADD b text DEFAULT 'x'; DELETE FROM orders WHERE id = 6"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_NO_FATAL_FAILURE(expect_stopped_then_resumed("the table was altered"));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, StatusTellsWhatNewIsKnownToLack) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
  ASSERT_OK(postgres_->Execute("new_db", "DELETE FROM orders WHERE id = 1"));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 5 WHERE id = 1"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  const ProgramResult missed = RunCli({"status", file_}, Roles());
  EXPECT_EQ(missed.exit_code, 1) << missed.output;
  EXPECT_THAT(missed.output, HasSubstr("suspect     public.orders: 1 rows of it that were to be "
                                       "changed or deleted were not in public.orders, the first"));
  EXPECT_THAT(missed.output, HasSubstr("switchyard recopy FILE public.orders"));
  const ProgramResult json = RunCli({"status", file_, "--json"}, Roles());
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_THAT(json.output, HasSubstr("\"rows\": 1"));
  const ProgramResult recopy = RunCli({"recopy", file_, "public.orders", "--wait", "60s"}, Roles());
  EXPECT_EQ(recopy.exit_code, 0) << recopy.output;
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 1"), "5");
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);

  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE orders ADD extra int NOT NULL DEFAULT 7"));
  const ProgramResult added = RunCli({"status", file_}, Roles());
  EXPECT_EQ(added.exit_code, 1) << added.output;
  EXPECT_THAT(added.output, HasSubstr("suspect     public.orders: its column extra came since"));
  // Both sides have it now: its values are carried over, those of old rows too.
  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders ADD extra int NOT NULL DEFAULT 8"));
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO orders VALUES (300, 300, 9)"));
  ASSERT_NO_FATAL_FAILURE(AwaitStop());
  EXPECT_THAT(StopReason(), HasSubstr("column extra of public.orders is new on the source"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(extra::text, ',' ORDER BY id) FROM orders WHERE id IN (1, 300)"),
            "7,9");
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, ATableAddedToTheFileIsCopiedIntoTheRunningStream) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TABLE visits (id int PRIMARY KEY); INSERT INTO visits VALUES (1), (2))"));
  ASSERT_OK(postgres_->Execute("new_db", "CREATE TABLE visits (id int PRIMARY KEY)"));
  std::ofstream(file_, std::ios::app) << "  - {table: public.visits, copy: visits}\n";
  Prepare();
  const ProgramResult refused = RunCli({"replay", file_}, Roles());
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.output, HasSubstr("where the file or OLD's tables were changed on purpose, "
                                        "run first: switchyard resume FILE"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(Await("capture to follow it", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"resume", file_}, Roles()).exit_code == 0;
  }));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM visits"), "2");
  // Nothing of a copy is under way any more.
  EXPECT_OK(Await("the copy to be done", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    const std::string status = RunCli({"status", file_}, Roles()).output;
    return absl::StrContains(status, "streaming") && !absl::StrContains(status, "public.visits");
  }));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, ARunningReplayerIsEndedFirst) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  const ProgramResult running = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(running.exit_code, 1);
  EXPECT_THAT(running.output, HasSubstr("a replayer works on stream shop.forward"));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, RowsThatANewSelectNoLongerGivesGo) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_NO_FATAL_FAILURE(
      Rewrite("CROSS JOIN lookup.kinds k GROUP", "CROSS JOIN lookup.kinds k WHERE c.id < 3 GROUP"));
  const ProgramResult refused = RunCli({"replay", file_}, Roles());
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("run: switchyard resume FILE"));
  const ProgramResult status = RunCli({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 1) << status.output;
  EXPECT_THAT(status.output, HasSubstr("shop.forward  stopped"));
  EXPECT_THAT(status.output, HasSubstr("switchyard resume FILE"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  EXPECT_THAT(check.output, HasSubstr("warning: stream shop.forward works with another mapping"));
  const ProgramResult resume = RunCli({"resume", file_, "--json"}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(RunCli({"check", file_}, Roles()).output, Not(HasSubstr("warning")));
  EXPECT_THAT(resume.output, HasSubstr("\"mapping public.people\""));
  EXPECT_THAT(resume.output, Not(HasSubstr("public.orders")));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(People(), "a@x 2 person");
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult again = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.output, HasSubstr("the mapping is as it was"));
}

TEST_F(CliResumeTest, RowsOfTheOldMappingDoNotPassForThoseOfTheNewOne) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_NO_FATAL_FAILURE(Rewrite("copy: orders}", "copy: orders, set: {amount: amount * 100}}"));
  EXPECT_EQ(RunCli({"resume", file_}, Roles()).exit_code, 0);
  StartPipeline();
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(pipeline_->Start("replay"));  // NEW's CHECK refuses what the new mapping gives
  ASSERT_OK(Await("the replayer's end", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return New("SELECT state FROM switchyard.stream") == "stopped";
  }));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("NEW does not show public.orders as OLD has it, its changes are left out, "
                        "and the copy that was to mend it failed: the target refuses a row"));
  EXPECT_EQ(New("SELECT state FROM switchyard.request WHERE kind = 'resume'"), "open");
  pipeline_->Kill("replay");

  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders DROP CONSTRAINT orders_amount_check"));
  EXPECT_EQ(RunCli({"recopy", file_, "orders"}, Roles()).exit_code, 0);
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(Await("the resumed stream", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return New("SELECT state FROM switchyard.stream") == "streaming";
  }));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), "505000");
  EXPECT_EQ(New("SELECT state FROM switchyard.request WHERE kind = 'resume'"), "done");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, AMirrorOfAnotherShapeIsCopiedAgainAndWhatItFeedsDerivedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    ALTER TABLE customers ADD COLUMN kind text NOT NULL DEFAULT 'guest';
    DELETE FROM customers WHERE id = 3)"));
  ASSERT_NO_FATAL_FAILURE(Rewrite("min(k.name) AS kind", "min(c.kind) AS kind"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("source public.customers"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(People(), "a@x 2 guest");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE customers SET kind = 'vip' WHERE id < 3"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(People(), "a@x 2 vip");
  ASSERT_OK(pipeline_->Stop());
}

// It is part of no fingerprint: nothing is to be resumed, and the next start makes it.
TEST_F(CliResumeTest, AnIndexAddedToTheFileIsMadeForTheStreamThatRuns) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_NO_FATAL_FAILURE(Rewrite(
      "forward:\n", "forward:\n  mirror_indexes: {customers: [length(email)]}\n  tables:\n"));
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO customers VALUES (4, 'c@x')"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM pg_indexes WHERE schemaname = 'switchyard_old' "
                "AND indexdef LIKE '%(length(email))%'"),
            "1");
  ASSERT_OK(pipeline_->Stop());
}

// The mirror's own enum has to learn the value before its first row can be read: nobody is needed.
TEST_F(CliResumeTest, AnEnumOfOldGainsValuesWhileStreaming) {
  std::ofstream(file_) << R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
forward:
  - {table: public.notes, copy: notes, set: {mood: "mood::text"}}
  - table: public.best
    scope: who
    from: {notes: who}
    select: SELECT who, max(mood)::text AS mood FROM notes GROUP BY who
)";
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE notes (id int PRIMARY KEY, who int NOT NULL, mood mood);
    INSERT INTO notes VALUES (1, 1, 'ok'), (2, 2, 'sad'))"));
  ASSERT_OK(postgres_->Execute("new_db", R"(
    CREATE TABLE notes (id int PRIMARY KEY, who int NOT NULL, mood text);
    CREATE TABLE best (who int PRIMARY KEY, mood text))"));
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  for (const char* value : {"'worst' BEFORE 'sad'", "'fine' BEFORE 'ok'", "'it''s great'"}) {
    ASSERT_OK(postgres_->Execute("old_db", std::string("ALTER TYPE mood ADD VALUE ") + value));
  }
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE notes SET mood = 'fine' WHERE id = 2"));
  ASSERT_OK(postgres_->Execute("old_db", R"(
    INSERT INTO notes VALUES (3, 1, 'it''s great'), (4, 1, 'worst'), (5, 2, 'worst'))"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(mood, ' ' ORDER BY id) FROM notes"),
            "ok fine it's great worst worst");
  EXPECT_EQ(New("SELECT string_agg(mood, ' ' ORDER BY who) FROM best"), "it's great fine");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  ASSERT_OK(pipeline_->Stop());
  // Which rows have a value that was renamed can't be told: their table is copied again.
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TYPE mood RENAME VALUE 'ok' TO 'okay'"));
  const ProgramResult renamed = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(renamed.exit_code, 0) << renamed.output;
  EXPECT_THAT(renamed.output, HasSubstr("source public.notes (type public.mood)"));
  EXPECT_THAT(renamed.output, HasSubstr("copied again:  public.notes"));
  EXPECT_THAT(renamed.output, HasSubstr("derived again: public.best"));
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(Await("the copy is swapped in", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return New("SELECT string_agg(mood, ' ' ORDER BY id) FROM notes") ==
           "okay fine it's great worst worst";
  }));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE notes SET mood = 'okay' WHERE who = 2"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(mood, ' ' ORDER BY who) FROM best"), "it's great okay");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, AValueThatAnEnumOfOldGainedIsUsedByTheSelectAtOnce) {
  const std::string file =
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\nforward:\n"
      "  - table: public.best\n    scope: who\n    from: {notes: who}\n"
      "    select: SELECT who, max(mood)::text AS mood FROM notes WHERE mood <> '$0' GROUP BY "
      "who\n";
  std::ofstream(file_) << absl::StrReplaceAll(file, {{"$0", "sad"}});
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE notes (id int PRIMARY KEY, who int NOT NULL, mood mood);
    INSERT INTO notes VALUES (1, 1, 'ok'), (2, 2, 'sad'))"));
  ASSERT_OK(postgres_->Execute("new_db", "CREATE TABLE best (who int PRIMARY KEY, mood text)"));
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TYPE mood ADD VALUE 'great'"));
  std::ofstream(file_) << absl::StrReplaceAll(file, {{"$0", "great"}});
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(resume.exit_code, 0) << resume.output;
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO notes VALUES (3, 1, 'great')"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(mood, ' ' ORDER BY who) FROM best"), "ok sad");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliResumeTest, EntriesOfWhatAMappingOwnedBeforeAreNotLeftInQuarantine) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 5000 WHERE id = 7"));
  ASSERT_OK(Await("the row in quarantine", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return New("SELECT count(*) FROM switchyard.quarantine") == "1";
  }));
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 50 WHERE id = 7"));
  ASSERT_NO_FATAL_FAILURE(Rewrite("copy: orders}", "copy: orders, owns: id < 1000}"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 7"), "50");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
