// check --rehearse on small migrations: what it finds, how it says so, and what it leaves alone.
#include "operate/check/rehearse/rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/records/proof/rehearsals.h"
#include "common/records/target_sql.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::operate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Verdict = RehearsalReport::Verdict;

constexpr char kOld[] = R"(
  CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, name text, note text);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount int NOT NULL);
  INSERT INTO customers SELECT i, 'Who' || i % 3 || '@x', 'n' || i FROM generate_series(1, 20) i;
  INSERT INTO orders SELECT i, i % 15, i FROM generate_series(1, 40) i;)";
constexpr char kNew[] = R"(
  CREATE TABLE people (email text PRIMARY KEY, name text, spent bigint);
  CREATE TABLE orders (id int PRIMARY KEY, who text, amount int);
  INSERT INTO people VALUES ('kept', 'as it is', 1);)";
// The place of `from` for orders is marked.
constexpr char kFile[] = R"(migration: shop
old: {dsn_env: REHEARSED_OLD}
new: {dsn_env: REHEARSED_NEW}
log: {sqlite: x}
forward:
  tables:
    - table: public.people
      scope: email
      select: |
        SELECT lower(c.email) AS email, min(c.name) AS name, sum(o.amount) AS spent
        FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
        GROUP BY lower(c.email)
{from}
    - table: public.orders
      select: |
        SELECT o.id, p.email AS who, o.amount
        FROM orders o JOIN customers c ON c.id = o.customer_id
        JOIN public.people p ON p.email = lower(c.email)
)";

// An order that comes, goes or changes touches nobody.
constexpr char kFaulty[] = R"(      from:
        customers: lower(email)
        orders: SELECT NULL::text WHERE false)";

class RehearsalTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<testing::MiniPostgres>> started = testing::MiniPostgres::Start();
    ASSERT_OK(started);
    server_ = started->release();
    ASSERT_OK(server_->CreateDatabase("old_db"));
    ASSERT_OK(server_->CreateDatabase("new_db"));
    setenv("REHEARSED_OLD", server_->dsn("old_db").c_str(), 1);
    setenv("REHEARSED_NEW", server_->dsn("new_db").c_str(), 1);
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    for (const char* database : {"old_db", "new_db"}) {
      ASSERT_OK(server_->Execute(database,
                                 "SET client_min_messages = error; DROP SCHEMA IF EXISTS public, "
                                 "switchyard, switchyard_old CASCADE; CREATE SCHEMA public"));
    }
    ASSERT_OK(server_->Execute("old_db", kOld));
    ASSERT_OK(server_->Execute("new_db", kNew));
  }

  absl::StatusOr<RehearsalReport> RehearseWith(const std::string& from,
                                               RehearseOptions options = {.seed = 7}) {
    ASSIGN_OR_RETURN(
        const spec::MigrationFile file,
        spec::ParseMigrationFile(absl::StrReplaceAll(kFile, {{"{from}", from}}), "shop.yaml"));
    return Rehearse(file, options, never_);
  }

  std::string New(const std::string& query) {
    const auto session = server_->Connect("new_db");
    const auto result = (*session)->Query(query);
    return result.ok() ? result->str(0, 0) : std::string(result.status().message());
  }

  static inline testing::MiniPostgres* server_ = nullptr;
  Cancel never_;
};

TEST_F(RehearsalTest, RulesToldFromTheSelectsMissNothing) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report,
                       RehearseWith("", {.seed = 7, .batches_max = 300}));
  EXPECT_EQ(report.verdict, Verdict::kClean) << RehearsalText(report);
  EXPECT_GE(report.batches, 200) << RehearsalText(report);
  EXPECT_THAT(report.not_rehearsed, IsEmpty());
  EXPECT_EQ(report.look_ups, 5);
  // A person comes and goes with a customer, whose rule names the same orders.
  ASSERT_EQ(report.unneeded.size(), 1u) << RehearsalText(report);
  EXPECT_EQ(report.unneeded[0].table, "public.people");
  EXPECT_THAT(report.columns, Contains("orders.amount"));
  EXPECT_THAT(report.columns, Not(Contains("customers.note")));  // nobody reads it
}

TEST_F(RehearsalTest, ARuleThatLeavesAColumnOutIsNamedWithWhatToAdd) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report, RehearseWith(kFaulty));
  EXPECT_EQ(report.verdict, Verdict::kFaults);
  ASSERT_THAT(report.faults, Not(IsEmpty())) << RehearsalText(report);
  const RehearsalFault& fault = report.faults[0];
  EXPECT_EQ(fault.mapping, "public.people");
  EXPECT_EQ(fault.table, "orders");
  EXPECT_EQ(fault.file, "shop.yaml");
  EXPECT_EQ(fault.line, 15) << RehearsalText(report);
  EXPECT_EQ(fault.column, 9) << RehearsalText(report);
  EXPECT_FALSE(fault.derived);
  EXPECT_THAT(fault.rule, HasSubstr("customer"));
  EXPECT_THAT(fault.scope, HasSubstr("\"email\""));
  EXPECT_THAT(RehearsalText(report), HasSubstr("shop.yaml:15:9: from of public.people misses"));
  EXPECT_THAT(RehearsalText(report), HasSubstr("seed 7"));
}

TEST_F(RehearsalTest, ALookUpThatNothingNeedsIsNamed) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report, RehearseWith(R"(      from:
        customers: |
          SELECT lower(customers.email)
          UNION ALL SELECT customers.name
        orders: SELECT lower(c.email) FROM customers c WHERE c.id = orders.customer_id)",
                                                                  {.seed = 7, .batches_max = 100}));
  EXPECT_EQ(report.verdict, Verdict::kClean) << RehearsalText(report);
  EXPECT_EQ(report.look_ups, 3);
  ASSERT_EQ(report.unneeded.size(), 1u) << RehearsalText(report);
  EXPECT_EQ(report.unneeded[0].mapping, "public.people");
  EXPECT_EQ(report.unneeded[0].table, "customers");
  EXPECT_EQ(report.unneeded[0].sql, "SELECT customers.name");
  EXPECT_THAT(RehearsalText(report),
              HasSubstr("it may be superfluous: from of public.people, customers:\n    SELECT "
                        "customers.name\n"));
}

TEST_F(RehearsalTest, TheSameSeedFindsTheSame) {
  ASSERT_OK_AND_ASSIGN(RehearsalReport one, RehearseWith(kFaulty));
  ASSERT_OK_AND_ASSIGN(RehearsalReport other, RehearseWith(kFaulty));
  one.seconds = other.seconds = 0;
  EXPECT_EQ(RehearsalText(one), RehearsalText(other));
}

TEST_F(RehearsalTest, QuietlyItPrintsNoValue) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report,
                       RehearseWith(kFaulty, {.seed = 7, .show_values = false}));
  ASSERT_THAT(report.faults, Not(IsEmpty()));
  for (const std::string& shown : {RehearsalText(report), RehearsalJson(report)}) {
    EXPECT_THAT(shown, Not(HasSubstr("@x")));
    EXPECT_THAT(shown, Not(HasSubstr("{\"id\"")));
    EXPECT_THAT(shown, Not(HasSubstr("{\\\"id\\\"")));
  }
}

TEST_F(RehearsalTest, ItsJsonIsThatOfTheProto) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report, RehearseWith(kFaulty));
  control::v1::Rehearsal message;
  ASSERT_TRUE(testing::IsJsonOf(RehearsalJson(report), &message)) << RehearsalJson(report);
  EXPECT_EQ(message.verdict(), "faults");
  EXPECT_EQ(message.seed(), 7);
  ASSERT_GT(message.faults_size(), 0);
  EXPECT_EQ(message.faults(0).table(), "orders");
  EXPECT_EQ(message.faults(0).line(), 15);
}

TEST_F(RehearsalTest, TheVerdictIsKeptWhereNewIsSetUp) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport before, RehearseWith(kFaulty));
  EXPECT_FALSE(before.kept);
  EXPECT_THAT(RehearsalText(before), HasSubstr("not kept"));
  ASSERT_OK(server_->Execute("new_db", records::TargetSetupSql()));
  ASSERT_OK_AND_ASSIGN(const RehearsalReport faulty, RehearseWith(kFaulty));
  EXPECT_TRUE(faulty.kept);
  ASSERT_OK_AND_ASSIGN(const RehearsalReport clean,
                       RehearseWith("", {.seed = 7, .batches_max = 50}));
  ASSERT_OK_AND_ASSIGN(const auto session, server_->Connect("new_db"));
  ASSERT_OK_AND_ASSIGN(const auto all, records::LoadRehearsals(*session, "shop.forward"));
  ASSERT_EQ(all.size(), 2u);  // one for each mapping
  EXPECT_EQ(all[0].verdict, "clean");
  EXPECT_EQ(all[0].fingerprint, clean.fingerprint);
  EXPECT_EQ(all[0].batches, clean.batches);
  EXPECT_EQ(all[1].verdict, "faults");
  EXPECT_EQ(all[1].fingerprint, faulty.fingerprint);
  EXPECT_GT(all[1].faults, 0);
}

TEST_F(RehearsalTest, NewIsAsItWas) {
  const std::string count =
      "SELECT string_agg(c::text, ' ' ORDER BY c::text) FROM (SELECT relname, "
      "relnamespace::regnamespace FROM pg_class "
      "UNION ALL SELECT typname, typnamespace::regnamespace FROM pg_type) c "
      "WHERE c::text NOT LIKE '%pg_t%'";
  const std::string before = New(count);
  ASSERT_OK(RehearseWith("", {.seed = 7, .batches_max = 50}));
  EXPECT_EQ(New(count), before);
  EXPECT_EQ(New("SELECT string_agg(p::text, ' ') FROM people p"), "(kept,\"as it is\",1)");
  EXPECT_EQ(New("SELECT count(*) FROM orders"), "0");
}

// Whoever uses NEW's tables meanwhile waits for nothing.
TEST_F(RehearsalTest, ItLocksNoTableOfNewForWriters) {
  ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect("new_db"));
  ASSERT_OK(other->Begin());
  ASSERT_OK(other->Execute(
      "INSERT INTO people VALUES ('busy', 'x', 2); LOCK people IN ROW EXCLUSIVE MODE"));
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report,
                       RehearseWith("", {.seed = 7, .batches_max = 50}));
  EXPECT_EQ(report.verdict, Verdict::kClean) << RehearsalText(report);
  other->Rollback();
}

}  // namespace
}  // namespace switchyard::operate
