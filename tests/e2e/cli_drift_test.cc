// What happens to OLD's tables under a running stream, as an operator sees it.
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli_run_fixture.h"

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
  EXPECT_EQ(status.exit_code, 0);  // the stream goes on
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

TEST_F(CliDriftTest, ATableMadeAgainUnderItsNameIsAnotherTable) {
  ASSERT_NO_FATAL_FAILURE(StartAndCatchUp());
  ASSERT_OK(postgres_->Execute("old_db", R"(
    BEGIN; DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
    INSERT INTO orders VALUES (7, 7); COMMIT)"));
  const ProgramResult status = AwaitSuspect("suspect     public.orders: dropped and made again: ");
  EXPECT_THAT(status.output, HasSubstr("begin the stream anew: switchyard recopy FILE --all"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.output, HasSubstr("lacks table public.orders"));
  // The next step, step by step.
  ASSERT_NO_FATAL_FAILURE(Prepare());
  ASSERT_OK(pipeline_->Stop());
  const ProgramResult anew = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(postgres_->Execute("old_db", "INSERT INTO orders VALUES (8, 8)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT string_agg(id || ':' || amount, ' ' ORDER BY id) FROM orders"), "7:7 8:8");
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, Not(HasSubstr("suspect")));
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
