// switchyard recopy, as the people who are told to run it do.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"
#include "tests/support/oracle/oracle.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;

class CliRecopyTest : public CliRunTest {
 protected:
  void StartAndCatchUp() {
    Prepare();
    StartPipeline();
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }
  std::string Orders() {
    return New("SELECT string_agg(id || ':' || amount, ' ' ORDER BY id) FROM orders WHERE id <= 5");
  }
};

// Rows that differ, are missing and are too many come right; the stream goes on meanwhile.
TEST_F(CliRecopyTest, ATableIsCopiedAgainWhileStreaming) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("new_db", R"(
    UPDATE orders SET amount = 77 WHERE id = 1; DELETE FROM orders WHERE id = 2;
    INSERT INTO orders VALUES (500, 5))"));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 33 WHERE id = 3"));
  const ProgramResult recopy = RunCli({"recopy", file_, "orders", "--wait", "30s"}, Roles());
  EXPECT_EQ(recopy.exit_code, 0) << recopy.output;
  EXPECT_THAT(recopy.output, HasSubstr("shop.forward: public.orders swapped in at "));
  EXPECT_EQ(Orders(), "1:1 2:2 3:33 4:4 5:5");
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = 44 WHERE id = 4"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(Orders(), "1:1 2:2 3:33 4:44 5:5");
  ASSERT_OK(pipeline_->Stop());
}

// What is derived from the table is right again too.
TEST_F(CliRecopyTest, AMirroredTableIsCopiedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("new_db", R"(
    DELETE FROM switchyard_old.customers WHERE id = 2;
    UPDATE people SET members = 9 WHERE email = 'b@x')"));
  const ProgramResult recopy =
      RunCli({"recopy", file_, "public.customers", "--wait", "30s", "--json"}, Roles());
  EXPECT_EQ(recopy.exit_code, 0) << recopy.output;
  EXPECT_THAT(recopy.output, HasSubstr("\"table\": \"public.customers\""));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard_old.customers"), "3");
  EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM people"),
            "a@x2 b@x1");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliRecopyTest, AsksForWhatIsThere) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  const ProgramResult wrong = RunCli({"recopy", file_, "oders"}, Roles());
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.output,
              HasSubstr("no mapping reads a table oders of OLD; did you mean orders?"));
  const ProgramResult derived = RunCli({"recopy", file_, "people"}, Roles());
  EXPECT_EQ(derived.exit_code, 2);
  EXPECT_THAT(
      derived.output,
      HasSubstr("public.people is a table of NEW, made of customers; next: copy what it is made "
                "of, as in: switchyard recopy FILE customers"));
  EXPECT_EQ(RunCli({"recopy", file_}, Roles()).exit_code, 2);
  EXPECT_EQ(RunCli({"recopy", file_, "orders", "--all"}, Roles()).exit_code, 2);
  const ProgramResult running = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(running.exit_code, 1);
  EXPECT_THAT(running.output, HasSubstr("capture still streams from slot switchyard_shop_forward"));
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult asked = RunCli({"recopy", file_, "orders"}, Roles());
  EXPECT_EQ(asked.exit_code, 0) << asked.output;
  EXPECT_THAT(asked.output, HasSubstr("a copy of public.orders is asked for"));
  // Who asks again follows the same copy.
  const ProgramResult again = RunCli({"recopy", file_, "orders", "--wait", "10ms"}, Roles());
  EXPECT_EQ(again.exit_code, 4) << again.output;
  EXPECT_EQ(postgres_->Scalar("old_db", "SELECT count(*) FROM switchyard.capture_request").value(),
            "1");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.request"), "1");
  EXPECT_EQ(RunCli({"recopy", file_, "--all", "--wait", "1h"}, Roles()).exit_code, 2);
}

// The command was killed between its two statements: NEW keeps the log for a copy that OLD was
// never asked for.
TEST_F(CliRecopyTest, ARequestCutShortIsTakenUpAgain) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute(
      "new_db",
      "INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
      "SELECT name, 'recopy', 'public.orders', epoch, lsn, log_offset FROM switchyard.stream"));
  const ProgramResult done = RunCli({"recopy", file_, "orders", "--wait", "60s"}, Roles());
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_EQ(New("SELECT string_agg(state, ' ') FROM switchyard.request"), "done");
  ASSERT_OK(pipeline_->Stop());
}

// Whoever is called at night finds the reason, the next step and an ended program; what had reached
// the log is in NEW.
TEST_F(CliRecopyTest, RunEndsWhenTheSlotIsLostOnceTheLogIsApplied) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE orders SET amount = -amount"));
  ASSERT_OK_AND_ASSIGN(const std::string lsn,
                       postgres_->Scalar("old_db", "SELECT pg_current_wal_insert_lsn()"));
  ASSERT_OK(Await("captured", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(postgres_->Execute("old_db", "SELECT pg_logical_emit_message(true, 'x', '')"));
    ASSIGN_OR_RETURN(const std::string there,
                     postgres_->Scalar("old_db", "SELECT bool_or(confirmed_flush_lsn >= '" + lsn +
                                                     "') FROM pg_replication_slots"));
    return there == "t";
  }));
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(
      postgres_->Execute("old_db", "SELECT pg_drop_replication_slot('switchyard_shop_forward')"));
  const ProgramResult run = RunCli({"run", file_}, Roles());
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr("replication slot switchyard_shop_forward is gone"));
  EXPECT_THAT(run.output, HasSubstr("switchyard recopy FILE --all"));
  EXPECT_EQ(New("SELECT sum(amount) FROM orders"), "-5050");
  const ProgramResult status = RunCli({"status", file_}, Roles());
  EXPECT_EQ(status.exit_code, 1);
  EXPECT_THAT(status.output, HasSubstr("shop.forward  stopped"));
  EXPECT_THAT(status.output,
              HasSubstr("capture: replication slot switchyard_shop_forward is gone"));
  const ProgramResult anew = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  ASSERT_OK(pipeline_->Stop());
}

// Ids that were given to the world are kept, whatever is copied again.
TEST_F(CliRecopyTest, AllottedIdsOutliveEveryCopy) {
  constexpr char kForward[] = R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
forward:
  ids: [{kind: user, table: customers, old_id: id, new_id: gen_random_uuid()}]
  tables:
    - table: public.users
      scope: old_id
      from: {customers: id}
      select: |
        SELECT m.new_id AS id, c.id AS old_id, c.email FROM customers c
        JOIN switchyard.id_map m ON m.kind = 'user' AND m.old_id = c.id::text
)";
  std::ofstream(file_) << kForward;
  ASSERT_OK(postgres_->Execute(
      "new_db",
      "CREATE TABLE users (id uuid PRIMARY KEY, old_id int NOT NULL UNIQUE, email text)"));
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  const auto ids = [&] {
    return New(
        "SELECT string_agg(old_id || ' ' || id, E'\n' ORDER BY old_id) FROM users "
        "WHERE old_id <= 3");
  };
  const auto expect_right = [&] {
    ASSERT_OK_AND_ASSIGN(const spec::MigrationFile file, spec::LoadMigrationFile(file_));
    ASSERT_OK_AND_ASSIGN(const auto tables, CompareWithMapping({.old_dsn = postgres_->dsn("old_db"),
                                                                .new_dsn = postgres_->dsn("new_db"),
                                                                .file = file}));
    ASSERT_EQ(tables.size(), 2u);
    for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
  };
  const std::string before = ids();
  ASSERT_NO_FATAL_FAILURE(expect_right());
  ASSERT_OK(postgres_->Execute("new_db", R"(
    DELETE FROM switchyard_old.customers; DELETE FROM users WHERE old_id > 1)"));
  ASSERT_OK(postgres_->Execute("old_db", R"(
    INSERT INTO customers VALUES (4, 'd@x'))"));
  const ProgramResult recopy = RunCli({"recopy", file_, "customers", "--wait", "30s"}, Roles());
  EXPECT_EQ(recopy.exit_code, 0) << recopy.output;
  EXPECT_EQ(ids(), before);
  ASSERT_NO_FATAL_FAILURE(expect_right());
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult anew = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(ids(), before);
  EXPECT_EQ(New("SELECT count(*) FROM users"), "4");
  ASSERT_NO_FATAL_FAILURE(expect_right());
  ASSERT_OK(pipeline_->Stop());
}

// The slot is gone, and with it changes: a named refusal, and the way out of it.
TEST_F(CliRecopyTest, EverythingIsCopiedAgainAfterTheSlotWasLost) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    SELECT pg_drop_replication_slot('switchyard_shop_forward');
    UPDATE customers SET email = 'lost@x' WHERE id = 3;
    DELETE FROM orders WHERE id > 50)"));
  const Environment roles = Roles();
  const ProgramResult refused = RunCli({"capture", file_}, roles);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("switchyard recopy FILE --all"));
  const ProgramResult anew = RunCli({"recopy", file_, "--all"}, roles);
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  EXPECT_THAT(anew.output, HasSubstr("copies 2 tables"));
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "0");
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "50");
  EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM people"),
            "a@x2 lost@x1");
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE customers SET email = 'a@x' WHERE id = 3"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'a@x'"), "3");
  ASSERT_OK(pipeline_->Stop());
}

// OLD's record of the stream is gone, or is of before: the log is not, and one step does.
TEST_F(CliRecopyTest, EverythingIsCopiedAgainAfterOldWasRestored) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(pipeline_->Stop());
  const int64_t epoch = std::stoll(New("SELECT epoch FROM switchyard.stream"));
  ASSERT_OK(postgres_->Execute("old_db", R"(
    SELECT pg_drop_replication_slot('switchyard_shop_forward');
    DROP SCHEMA switchyard CASCADE; DROP PUBLICATION switchyard_shop_forward;
    DELETE FROM orders WHERE id > 50)"));
  const ProgramResult unprepared = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(unprepared.exit_code, 1);
  EXPECT_THAT(unprepared.output, HasSubstr("--print-setup"));
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
  Prepare();
  const ProgramResult refused = RunCli({"capture", file_}, Roles());
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("switchyard recopy FILE --all"));
  const ProgramResult anew = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  // What a capture that was thought dead still writes is dropped, it is no loss.
  EXPECT_GT(std::stoll(New("SELECT epoch FROM switchyard.stream")), epoch);
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "50");
  ASSERT_OK(pipeline_->Stop());
}

// NEW keeps what the steps after the first copy made.
TEST_F(CliRecopyTest, StepsAfterTheCopyAreRunOnceForTheTablesThereAre) {
  std::ofstream(folder_ + "/steps.sql")
      << "CREATE INDEX amounts ON orders (amount);"
         "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);"
         "ALTER TABLE orders ADD CHECK (amount < 2000)";
  std::ofstream(file_, std::ios::app) << "after_copy: [steps.sql]\n";
  const std::string owner =
      "ALTER TABLE orders OWNER TO switchyard_replay;"
      "GRANT CREATE ON SCHEMA public TO switchyard_replay";
  Prepare();
  ASSERT_OK(postgres_->Execute("new_db", owner));
  StartPipeline();
  const auto copy_and_look = [&](const char* checks) {
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    ASSERT_OK(pipeline_->Stop());
    EXPECT_EQ(New("SELECT count(*) FROM orders"), "100");
    EXPECT_EQ(New("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass"), "2");
    EXPECT_EQ(New("SELECT count(*) FROM pg_constraint WHERE conrelid = 'orders'::regclass AND "
                  "contype = 'c'"),
              checks);
  };
  ASSERT_NO_FATAL_FAILURE(copy_and_look("3"));
  const auto begin_anew = [&] {
    const ProgramResult result = RunCli({"recopy", file_, "--all"}, Roles());
    EXPECT_EQ(result.exit_code, 0) << result.output;
  };
  begin_anew();
  ASSERT_NO_FATAL_FAILURE(copy_and_look("3"));
  // A table that was made again needs them again.
  begin_anew();
  ASSERT_OK(postgres_->Execute(
      "new_db",
      "DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);" + owner));
  ASSERT_NO_FATAL_FAILURE(copy_and_look("2"));
}

}  // namespace
}  // namespace switchyard::testing
