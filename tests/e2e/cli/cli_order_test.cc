// The program run by a role that may not silence NEW's foreign keys and triggers.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tests/e2e/cli/cli_run_fixture.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLines[] = R"(
  CREATE TABLE lines (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders ON DELETE CASCADE,
    above int REFERENCES lines);
  CREATE INDEX ON lines (order_id);
  CREATE INDEX ON lines (above);)";

class CliOrderTest : public CliRunTest {
 protected:
  void SetUp() override {
    CliRunTest::SetUp();
    for (const char* database : {"old_db", "new_db"}) {
      ASSERT_OK(postgres_->Execute(database, kLines));
    }
    // Big enough for many chunks, which come mixed with those of the table it refers to.
    ASSERT_OK(postgres_->Execute("old_db",
                                 "INSERT INTO orders SELECT i, i % 900 FROM generate_series(101, "
                                 "60000) i; INSERT INTO lines SELECT i, 1 + i * 7919 % 60000, "
                                 "nullif(60001 - i, i) FROM generate_series(1, 60000) i"));
    ASSERT_OK(postgres_->Execute("new_db", R"(
      CREATE TABLE audit (line int);
      CREATE FUNCTION note_line() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        AS 'BEGIN INSERT INTO public.audit VALUES (NEW.id); RETURN NEW; END';
      CREATE TRIGGER note AFTER UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION note_line();)"));
    std::ofstream(file_, std::ios::app) << "  - {table: public.lines, copy: lines}\n";
  }

  void PrepareWithoutTheRight() {
    Prepare();
    ASSERT_OK(postgres_->Execute(
        "new_db", "REVOKE SET ON PARAMETER session_replication_role FROM switchyard_replay"));
  }

  void ExpectEqual() {
    for (const char* sql : {"SELECT md5(string_agg(o::text, ' ' ORDER BY id)) FROM orders o",
                            "SELECT md5(string_agg(l::text, ' ' ORDER BY id)) FROM lines l"}) {
      ASSERT_OK_AND_ASSIGN(const std::string old_rows, postgres_->Scalar("old_db", sql));
      EXPECT_EQ(New(sql), old_rows) << sql;
    }
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  }
};

TEST_F(CliOrderTest, CheckSaysWhatIsSilentAndWhatHolds) {
  Prepare();
  EXPECT_THAT(RunCli({"check", file_}, Roles()).output,
              HasSubstr("NEW: written with session_replication_role = replica; foreign keys that "
                        "are not looked at: public.lines: lines_above_fkey, public.lines: "
                        "lines_order_id_fkey; triggers that do not fire: public.lines: note\n"));
  ASSERT_OK(postgres_->Execute(
      "new_db", "REVOKE SET ON PARAMETER session_replication_role FROM switchyard_replay"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 0) << check.output;
  EXPECT_THAT(check.output, Not(HasSubstr("warning")));
  EXPECT_THAT(
      check.output,
      HasSubstr("NEW: written in the order of its foreign keys, since this role may not set "
                "session_replication_role: public.people, public.orders, public.lines; "
                "what goes, the other way round; foreign keys that hold: public.lines: "
                "lines_above_fkey, public.lines: lines_order_id_fkey; triggers that fire: "
                "public.lines: note\n"));
  ASSERT_OK(postgres_->Execute("new_db", "DROP INDEX lines_order_id_idx"));
  EXPECT_THAT(RunCli({"check", file_}, Roles()).output,
              HasSubstr("foreign key lines_order_id_fkey (public.lines to public.orders) has no "
                        "index: every row of public.orders that goes reads all of public.lines. "
                        "CREATE INDEX ON public.lines (\"order_id\");"));
}

TEST_F(CliOrderTest, CheckRefusesWhatNoOrderServes) {
  PrepareWithoutTheRight();
  // Values of a second unique key could only be handed over by taking orders out for a while.
  ASSERT_OK(postgres_->Execute("new_db", "ALTER TABLE orders ADD number int UNIQUE"));
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_NE(check.exit_code, 0);
  EXPECT_THAT(check.output,
              HasSubstr("new: foreign key lines_order_id_fkey (public.lines to public.orders) "
                        "deletes or changes rows of public.lines when rows of public.orders are "
                        "taken out for a while, which values of orders_number_key that change "
                        "hands need\n    GRANT SET ON PARAMETER session_replication_role TO "
                        "switchyard_replay;"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK_AND_ASSIGN(const int code, pipeline_->process("replay")->Wait(absl::Seconds(20)));
  EXPECT_EQ(code, 1);
  EXPECT_THAT(pipeline_->Log("replay"), HasSubstr("foreign key lines_order_id_fkey"));
}

TEST_F(CliOrderTest, CopiesStreamsAndCopiesAgain) {
  PrepareWithoutTheRight();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectEqual();
  EXPECT_EQ(New("SELECT count(*) FROM pg_class WHERE relname LIKE 'sy_held%'"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM audit"), "0");
  ASSERT_OK(postgres_->Execute("old_db", R"(
    BEGIN; UPDATE lines SET above = NULL WHERE id % 100 = 0; COMMIT;
    BEGIN; UPDATE lines SET above = NULL WHERE above IN (SELECT id FROM lines WHERE order_id < 50);
    DELETE FROM orders WHERE id < 50; INSERT INTO orders VALUES (1, 1), (70000, 2);
    INSERT INTO lines VALUES (80001, 1, 80002), (80002, 70000, 2); COMMIT)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectEqual();
  EXPECT_THAT(New("SELECT count(*) FROM audit"), Not("0"));  // NEW's triggers fire

  // Of a table whose rows went, came and changed behind the replayer's back.
  ASSERT_OK(postgres_->Execute(
      "new_db",
      "DELETE FROM lines WHERE id % 3 = 0 AND NOT EXISTS (SELECT FROM lines l WHERE "
      "l.above = lines.id); UPDATE lines SET above = id WHERE id % 5 = 0;"
      "INSERT INTO orders VALUES (-1, 0); INSERT INTO lines VALUES (-1, -1, -2), (-2, 100, -1)"));
  EXPECT_EQ(RunCli({"recopy", file_, "lines", "--wait", "60s"}, Roles()).exit_code, 0);
  EXPECT_EQ(RunCli({"recopy", file_, "orders", "--wait", "60s"}, Roles()).exit_code, 0);
  ExpectEqual();
  ASSERT_OK(pipeline_->Stop());
}

// Neither table can be replaced without the other.
TEST_F(CliOrderTest, AResumedMappingMayGiveParentsAndTheirChildrenOtherKeys) {
  PrepareWithoutTheRight();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop());
  std::ofstream(file_) << absl::StrReplaceAll(
                              kFile, {{"copy: orders}", "copy: orders, set: {id: id + 1000000}}"}})
                       << "  - {table: public.lines, copy: lines, set: {order_id: order_id + "
                          "1000000}}\n";
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "UPDATE lines SET above = NULL WHERE above IN (SELECT id FROM lines WHERE order_id = 7);"
      "DELETE FROM orders WHERE id = 7"));
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resume.exit_code, 0) << resume.output;
  EXPECT_THAT(resume.output, HasSubstr("copied again:  public.orders, public.lines"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(postgres_->Execute("old_db",
                               "INSERT INTO orders VALUES (80000, 1);"
                               "INSERT INTO lines VALUES (80000, 80000, 1)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  for (const auto& [old_sql, new_sql] :
       {std::pair("SELECT sum(id), count(*) FROM orders",
                  "SELECT sum(id - 1000000), count(*) FROM orders"),
        std::pair("SELECT sum(order_id), count(*) FROM lines",
                  "SELECT sum(order_id - 1000000), count(*) FROM lines")}) {
    ASSERT_OK_AND_ASSIGN(const std::string old_rows, postgres_->Scalar("old_db", old_sql));
    EXPECT_EQ(New(new_sql), old_rows);
  }
  EXPECT_EQ(New("SELECT string_agg(kind || ' ' || state, ', ' ORDER BY id) FROM "
                "switchyard.request"),
            "in_doubt done, in_doubt done, recopy done, recopy done, resume done");
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliOrderTest, EverythingIsCopiedAgain) {
  PrepareWithoutTheRight();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(postgres_->Execute("new_db", "DELETE FROM lines WHERE above IS NULL"));
  const ProgramResult recopy = RunCli({"recopy", file_, "--all"}, Roles());
  EXPECT_EQ(recopy.exit_code, 0) << recopy.output;
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectEqual();
  ASSERT_OK(pipeline_->Stop());
}

TEST_F(CliOrderTest, KeysThatAreMadeAfterTheCopyHoldFromThenOn) {
  ASSERT_OK(postgres_->Execute("new_db",
                               "ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey, "
                               "DROP CONSTRAINT lines_above_fkey"));
  std::ofstream(folder_ + "/keys.sql")
      << "ALTER TABLE lines ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE, "
         "ADD FOREIGN KEY (above) REFERENCES lines";
  std::ofstream(file_, std::ios::app) << "after_copy: [keys.sql]\n";
  Prepare();
  ASSERT_OK(postgres_->Execute(
      "new_db",
      "REVOKE SET ON PARAMETER session_replication_role FROM switchyard_replay;"
      "ALTER TABLE lines OWNER TO switchyard_replay; ALTER TABLE orders OWNER TO "
      "switchyard_replay; GRANT CREATE ON SCHEMA public TO switchyard_replay"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectEqual();
  EXPECT_EQ(New("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), "2");
  // Parents that go before their children do, on OLD.
  ASSERT_OK(postgres_->Execute(
      "old_db",
      "UPDATE lines SET above = NULL; BEGIN; UPDATE lines SET order_id = 100 WHERE order_id < 50; "
      "DELETE FROM orders WHERE id < 50; INSERT INTO orders VALUES (80000, 1);"
      "INSERT INTO lines VALUES (80000, 80000, 80000); COMMIT"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectEqual();
  ASSERT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
