// What happens to OLD's tables under a running stream, as an operator sees it.
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CliDriftTest : public CliRunTest {
 protected:
  void StartAndCatchUp() {
    std::ofstream(file_, std::ios::app) << "capture: {drift_check: 200ms, heartbeat: 200ms}\n";
    Prepare();
    StartPipeline();
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }
  // The next step of a table whose name another one has, step by step.
  void TakeUpNewOrders() {
    ASSERT_NO_FATAL_FAILURE(Prepare());
    ASSERT_OK(pipeline_->Stop());
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(Await("capture follows it", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      const auto known = postgres_->Scalar("old_db",
                                           "SELECT count(*) FROM switchyard.capture_table WHERE "
                                           "relation_id = 'orders'::regclass");
      return known.ok() && *known == "1";
    }));
    ASSERT_OK(pipeline_->Stop());
    const ProgramResult resume = RunCli({"resume", file_}, Roles());
    ASSERT_EQ(resume.exit_code, 0) << resume.output;
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(Await("the new rows", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      return New("SELECT count(*) FROM orders") == "1";
    }));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }
  ProgramResult AwaitSuspect(const std::string& reason) {
    ProgramResult status;
    EXPECT_OK(Await("status says " + reason, absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      status = RunCli({"status", file_}, Roles());
      return status.output.find(reason) != std::string::npos;
    }));
    return status;
  }
};

TEST_F(CliDriftTest, ADroppedTableIsSuspectAndTheOthersGoOn) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", "DROP TABLE orders"));
  const ProgramResult status = AwaitSuspect("suspect     public.orders: dropped (it was relation ");
  EXPECT_EQ(status.exit_code, 1);  // the stream goes on, and a person must act
  EXPECT_THAT(status.output, HasSubstr("next: take it out of the migration file and run: "));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE customers SET email = 'b@x' WHERE id = 2"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'b@x'"), "2");
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");  // nothing told that they went
  const ProgramResult recopy = RunCli({"recopy", file_, "orders"}, Roles());
  EXPECT_EQ(recopy.exit_code, 1);
  EXPECT_THAT(recopy.output, HasSubstr("OLD has no table orders (any more)"));
  ASSERT_OK(pipeline_->Stop());
  std::ofstream(file_) << absl::StrReplaceAll(kFile,
                                              {{"  - {table: public.orders, copy: orders}\n", ""}})
                       << "capture: {drift_check: 200ms, heartbeat: 200ms}\n";
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(postgres_->Execute("old_db", "DELETE FROM customers WHERE id = 3"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'b@x'"), "1");
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, Not(HasSubstr("suspect")));
  ASSERT_OK(pipeline_->Stop());
}

// What was in a partition before, or left with one, no stream shows; the re-copy does, once the
// role may read the partition.
TEST_F(CliDriftTest, PartitionsAttachedAndDetachedAreSuspectUntilCopiedAgain) {
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
    INSERT INTO p SELECT generate_series(0, 19))"));
  ASSERT_OK(postgres_->Execute("new_db", "CREATE TABLE p (id int PRIMARY KEY)"));
  std::ofstream(file_, std::ios::app) << "  - {table: public.p, copy: p}\n";
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TABLE p3 (id int PRIMARY KEY);
    REVOKE ALL ON p3 FROM switchyard_capture;
    INSERT INTO p3 SELECT generate_series(20, 24);
    ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30);
    INSERT INTO p VALUES (29);
    ALTER TABLE p DETACH PARTITION p1)"));
  const ProgramResult status =
      AwaitSuspect("partition public.p1: detached: its rows left without a DELETE");
  EXPECT_THAT(status.output, HasSubstr("; partition public.p3 was attached: rows it had before"));
  EXPECT_THAT(status.output, HasSubstr("next: copy it again: switchyard recopy FILE public.p\n"));
  EXPECT_THAT(status.output, Not(HasSubstr("add it to the publication")));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM p"), "21");  // what the stream could show
  EXPECT_THAT(RunCli({"recopy", file_, "p2"}, Roles()).output,
              HasSubstr("public.p2 is a partition of public.p; next: switchyard recopy FILE "
                        "public.p"));

  EXPECT_EQ(RunCli({"recopy", file_, "p"}, Roles()).exit_code, 0);
  EXPECT_THAT(AwaitSuspect("can't copy").output, HasSubstr("permission denied for table p3"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_THAT(check.output, HasSubstr(R"(GRANT SELECT ON "public"."p3" TO "switchyard_capture";)"));
  ASSERT_OK(postgres_->Execute("old_db", "GRANT SELECT ON p3 TO switchyard_capture"));
  ASSERT_OK(Await("the copy is swapped in", absl::Seconds(60),
                  [&]() -> absl::StatusOr<bool> { return New("SELECT count(*) FROM p") == "16"; }));
  EXPECT_EQ(New("SELECT min(id) || ' ' || max(id) FROM p"), "10 29");
  ASSERT_OK(Await("nothing is suspect", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"status", file_}, Roles()).output.find("suspect") == std::string::npos;
  }));
  ASSERT_OK(pipeline_->Stop());
}

// Which partitions a table has by then is what tells whether all of it was truncated.
TEST_F(CliDriftTest, ATruncateIsOfThePartitionsThatThereAre) {
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
    INSERT INTO p SELECT generate_series(0, 19))"));
  ASSERT_OK(postgres_->Execute("new_db", "CREATE TABLE p (id int PRIMARY KEY)"));
  std::ofstream(file_, std::ios::app) << "  - {table: public.p, copy: p}\n";
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    ALTER TABLE p DETACH PARTITION p1;
    TRUNCATE p; TRUNCATE p1;
    INSERT INTO p SELECT generate_series(10, 14))"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM p"), "5");
  ASSERT_OK(postgres_->Execute("old_db", R"(
    INSERT INTO p1 SELECT generate_series(0, 4);
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
    CREATE TABLE p3 (id int PRIMARY KEY);
    INSERT INTO p3 SELECT generate_series(20, 24);
    ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30))"));
  AwaitSuspect("partition public.p3 was attached");
  ASSERT_EQ(RunCli({"recopy", file_, "p", "--wait", "60s"}, Roles()).exit_code, 0);
  EXPECT_EQ(New("SELECT count(*) FROM p"), "15");
  // Rows of a partition that had no change yet stay, and which of them do can't be told.
  ASSERT_OK(postgres_->Execute("old_db", "TRUNCATE p1, p2"));
  ASSERT_OK(Await("the end", absl::Seconds(30),
                  [&] { return New("SELECT state FROM switchyard.stream") == "stopped"; }));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("a partition of public.p was truncated"));
  EXPECT_EQ(New("SELECT count(*) FROM p"), "15");
}

// Neither type can be read with the other's shape, and of no row it can be told which it has.
TEST_F(CliDriftTest, OnlyTheTablesOfATypeThatChangedAreCopiedAgain) {
  std::ofstream(file_) << R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
forward:
  - {table: public.shelf, copy: shelf, set: {m: "m::text", s: "s::text::public.slot"}}
  - {table: public.plain, copy: plain}
  - table: public.moods
    scope: m
    from: {shelf: m::text}
    select: "SELECT m::text AS m, sum((s).a)::int AS n FROM shelf GROUP BY 1"
)";
  ASSERT_OK(postgres_->Execute("old_db", R"(
    CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE slot AS (a int, b text);
    CREATE TABLE shelf (id int PRIMARY KEY, m mood, s slot);
    CREATE TABLE plain (id int PRIMARY KEY, v text);
    INSERT INTO shelf VALUES (1, 'sad', (1, 'x')), (2, 'ok', (2, 'y'));
    INSERT INTO plain VALUES (1, 'v'))"));
  ASSERT_OK(postgres_->Execute("new_db", R"(
    CREATE TYPE slot AS (a int, b text);
    CREATE TABLE shelf (id int PRIMARY KEY, m text, s slot);
    CREATE TABLE plain (id int PRIMARY KEY, v text);
    CREATE TABLE moods (m text PRIMARY KEY, n int))"));
  const auto await = [&](const std::string& sql, const std::string& value) {
    ASSERT_OK(
        Await(sql, absl::Seconds(60), [&]() -> absl::StatusOr<bool> { return New(sql) == value; }));
  };
  const auto resume = [&] {
    const ProgramResult done = RunCli({"resume", file_}, Roles());
    EXPECT_EQ(done.exit_code, 0) << done.output;
    EXPECT_THAT(done.output, HasSubstr("copied again:  public.shelf\n"));
    ASSERT_OK(pipeline_->Start("run"));
  };
  const std::string rows =
      "SELECT string_agg(concat_ws(' ', id, m, s), ', ' ORDER BY id) FROM shelf";
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"));
  const ProgramResult renamed =
      AwaitSuspect("public.shelf: type public.mood: value sad was renamed to blue");
  EXPECT_THAT(renamed.output, HasSubstr("run: switchyard resume FILE"));
  EXPECT_THAT(renamed.output, Not(HasSubstr("suspect     public.plain")));
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO shelf VALUES (3, 'blue', (3, 'z'))"));
  await("SELECT state FROM switchyard.stream", "stopped");
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"), HasSubstr("resume FILE"));
  pipeline_->Kill("run");
  ASSERT_NO_FATAL_FAILURE(resume());
  ASSERT_NO_FATAL_FAILURE(await(rows, "1 blue (1,x), 2 ok (2,y), 3 blue (3,z)"));
  ASSERT_NO_FATAL_FAILURE(
      await("SELECT string_agg(m || n, ' ' ORDER BY m) FROM moods", "blue4 ok2"));

  for (const char* database : {"old_db", "new_db"}) {
    ASSERT_OK(postgres_->Execute(database, "ALTER TYPE slot ADD ATTRIBUTE c int"));
  }
  AwaitSuspect("type public.slot: attribute c was added");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE shelf SET s = (5, 'x', 3) WHERE id = 1"));
  await("SELECT state FROM switchyard.stream", "stopped");
  pipeline_->Kill("run");
  ASSERT_NO_FATAL_FAILURE(resume());
  ASSERT_NO_FATAL_FAILURE(await(rows, "1 blue (5,x,3), 2 ok (2,y,), 3 blue (3,z,)"));
  ASSERT_NO_FATAL_FAILURE(
      await("SELECT string_agg(m || n, ' ' ORDER BY m) FROM moods", "blue8 ok2"));
  ASSERT_OK(Await("nothing is suspect", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"status", file_}, Roles()).output.find("suspect") == std::string::npos;
  }));
  EXPECT_EQ(New("SELECT string_agg(DISTINCT argument, ' ') FROM switchyard.request "
                "WHERE kind = 'recopy'"),
            "public.shelf");
  ASSERT_OK(pipeline_->Stop());
}

// NEW computes it as the file says, which nobody looks at but a person.
TEST_F(CliDriftTest, WhatOldComputesInAnotherWayIsSuspectUntilTheFileSaysSo) {
  ASSERT_OK(postgres_->Execute(
      "old_db", "ALTER TABLE orders ADD dbl int GENERATED ALWAYS AS (amount * 2) STORED"));
  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders ADD dbl int, ADD trp int"));
  const auto say = [&](const std::string& sql) {
    std::ofstream(file_) << absl::StrReplaceAll(
                                kFile, {{"copy: orders", "copy: orders, set: {" + sql + "}"}})
                         << "capture: {drift_check: 200ms, heartbeat: 200ms}\n";
  };
  const auto mend = [&](const std::string& sql) {
    ASSERT_OK(pipeline_->Stop());
    say(sql);
    const ProgramResult resume = RunCli({"resume", file_}, Roles());
    EXPECT_EQ(resume.exit_code, 0) << resume.output;
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    ASSERT_OK(Await("nothing is suspect", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      return RunCli({"status", file_}, Roles()).output.find("suspect") == std::string::npos;
    }));
  };
  say("dbl: amount * 2");
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT sum(dbl) FROM orders"), "10100");
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "ALTER TABLE orders DROP dbl, ADD dbl int GENERATED ALWAYS AS (amount * 3) STORED"));
  EXPECT_THAT(AwaitSuspect("suspect     public.orders: generated column dbl has another").output,
              HasSubstr("what the migration file says of it under set"));
  ASSERT_NO_FATAL_FAILURE(mend("dbl: amount * 3"));
  EXPECT_EQ(New("SELECT sum(dbl) FROM orders"), "15150");
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE orders ALTER dbl DROP EXPRESSION"));
  AwaitSuspect("suspect     public.orders: column dbl is generated no more");
  // One that came since has no values on the log that would stop anybody.
  ASSERT_OK(
      postgres_->Execute("old_db",
                         "ALTER TABLE orders ADD trp int GENERATED ALWAYS AS (amount * 4) STORED, "
                         "ADD own int GENERATED ALWAYS AS (amount * 5) STORED"));
  const ProgramResult status =
      AwaitSuspect("suspect     public.orders: its generated column trp came since");
  EXPECT_EQ(status.exit_code, 1);
  EXPECT_THAT(status.output, Not(HasSubstr("column own")));
  ASSERT_NO_FATAL_FAILURE(mend("trp: amount * 4"));
  EXPECT_EQ(New("SELECT sum(trp) FROM orders"), "20200");
  ASSERT_OK(pipeline_->Stop());
}

// That it is on the log mends nothing yet.
TEST_F(CliDriftTest, ATableIsSuspectUntilNewHasTheCopy) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(
      postgres_->Execute("old_db", "ALTER TABLE orders ALTER amount TYPE int USING amount * 2"));
  AwaitSuspect("suspect     public.orders: rewritten: its rows may have other values");
  EXPECT_EQ(RunCli({"recopy", file_, "orders"}, Roles()).exit_code, 0);
  ASSERT_OK(Await("the copy is on the log", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    const auto copied = postgres_->Scalar(
        "old_db",
        "SELECT count(*) FROM switchyard.capture_copy WHERE generation = 2 AND state = 'done'");
    return copied.ok() && *copied == "1";
  }));
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, HasSubstr("suspect     public.orders: "));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(Await("nothing is suspect", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"status", file_}, Roles()).output.find("suspect") == std::string::npos;
  }));
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), "10100");
  ASSERT_OK(pipeline_->Stop());
}

// A role at its connection limit, for one: the stream goes on, and nobody sees a DDL.
TEST_F(CliDriftTest, ACaptureThatCanNotLookIsNoHealthyOne) {
  std::ofstream(file_, std::ios::app) << "capture: {drift_check: 10m}\n";
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "UPDATE switchyard.capture_stream SET drift_checked_at = now() - interval '1 day'"));
  const ProgramResult status = RunCli({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 1);
  EXPECT_THAT(
      status.output,
      HasSubstr("suspect     every table: capture has not looked at OLD's catalogue for 24"));
  ASSERT_OK(pipeline_->Stop());
}

// By its oid it is known all the while; with its name it is itself again.
TEST_F(CliDriftTest, ATableRenamedIsSuspectUntilItIsRenamedBack) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE orders RENAME TO sales"));
  EXPECT_THAT(AwaitSuspect("suspect     public.orders: renamed to public.sales").output,
              HasSubstr("next: rename it back, which clears this, or name public.sales"));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE sales SET amount = 500 WHERE id = 1"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 1"), "500");
  // A copy of it changes nothing: the mapping still means another name.
  ASSERT_OK(postgres_->Execute("new_db", "UPDATE switchyard.copy SET lsn = 'FFFFFFFF/0'"));
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output,
              HasSubstr("suspect     public.orders: renamed to public.sales"));
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE sales RENAME TO orders"));
  ASSERT_OK(Await("nothing is suspect", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return RunCli({"status", file_}, Roles()).output.find("suspect") == std::string::npos;
  }));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliDriftTest, ATableThatAnotherReplacedIsNotSuspectOnceThatIsTakenUp) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    BEGIN; CREATE TABLE orders_new (id int PRIMARY KEY, amount int NOT NULL);
    INSERT INTO orders_new VALUES (7, 7); ALTER TABLE orders RENAME TO orders_old;
    ALTER TABLE orders_new RENAME TO orders; COMMIT)"));
  const ProgramResult status = AwaitSuspect("another table has its name");
  EXPECT_THAT(status.output, HasSubstr("next: if the mapping means the new table: (1) run, as "));
  ASSERT_NO_FATAL_FAILURE(TakeUpNewOrders());
  EXPECT_EQ(New("SELECT string_agg(id || ':' || amount, ' ' ORDER BY id) FROM orders"), "7:7");
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, Not(HasSubstr("suspect")));
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliDriftTest, ATableMadeAgainUnderItsNameIsAnotherTable) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    BEGIN; DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
    INSERT INTO orders VALUES (7, 7); COMMIT)"));
  const ProgramResult status = AwaitSuspect("suspect     public.orders: dropped and made again: ");
  EXPECT_THAT(status.output, HasSubstr("next: if the mapping means the new table: (1) run, as "));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.output, HasSubstr("lacks table public.orders"));
  ASSERT_NO_FATAL_FAILURE(TakeUpNewOrders());
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO orders VALUES (8, 8)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(id || ':' || amount, ' ' ORDER BY id) FROM orders"), "7:7 8:8");
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, Not(HasSubstr("suspect")));
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
