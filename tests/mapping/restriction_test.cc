// Batches must find what they touch by index: `check` refuses a mapping that can't.
#include "common/mapping/compile/restriction.h"

#include "tests/mapping/compile_fixture.h"

namespace switchyard::mapping {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RestrictionTest : public CompileFixture {
 protected:
  void SetUp() override {
    CompileFixture::SetUp();
    check_restrictions_ = true;
  }

  // `rows` orders on OLD, and NEW's tables for their sums.
  absl::StatusOr<Plan> CompileSums(int rows, const std::string& forward,
                                   const std::string& new_sql = "SELECT 1") {
    return CompileFile(
        "CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL);"
        "CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric);"
        "INSERT INTO orders SELECT g, g % 100, g FROM generate_series(1, " +
            std::to_string(rows) +
            ") g; INSERT INTO customers SELECT g, g FROM generate_series(1, 100) g;"
            "ANALYZE",
        "CREATE TABLE totals (id int PRIMARY KEY, total numeric, email text NOT NULL UNIQUE);"
        "CREATE TABLE lookup (id int PRIMARY KEY, rate numeric);" +
            new_sql,
        forward);
  }
};

const std::string kSums =
    "  - table: public.totals\n"
    "    from: {customers: id, orders: customer}\n"
    "    select: |\n"
    "      SELECT c.id, c.email, sum(o.total) AS total\n"
    "      FROM customers c LEFT JOIN orders o ON o.customer = c.id\n"
    "      GROUP BY c.id, c.email\n";

TEST_F(RestrictionTest, TheIndexThatTheRuleNeedsServesTheSelectToo) {
  ASSERT_OK(CompileSums(50'000, kSums));
  EXPECT_THAT(faults_, IsEmpty());
}

// The select groups by another column than the rule names, so nothing has an index for it.
const std::string kByEmail =
    "  - table: public.totals\n"
    "    from: {customers: id, orders: SELECT orders.customer}\n"
    "    select: |\n"
    "      SELECT c.id, c.email, sum(o.total) AS total\n"
    "      FROM customers c LEFT JOIN orders o ON o.customer = c.id\n"
    "      GROUP BY c.id, c.email\n";

TEST_F(RestrictionTest, RefusesASelectThatHasToReadABigTableAndNamesTheIndex) {
  EXPECT_THAT(
      CompileSums(50'000, kByEmail),
      testing::StatusIs(absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("has to read all of orders (about 50000 rows)"),
                              HasSubstr("Add under mirror_indexes: {orders: ['customer']}"))));
  ASSERT_EQ(faults_.size(), 1u);
  EXPECT_EQ(faults_[0].at, (spec::Position{9, 7}));
}

// The alias of a table may be the end of another's name.
TEST_F(RestrictionTest, TheIndexIsNamedInTheWordsOfTheFile) {
  const auto sums = [](const std::string& join) {
    return "  - table: public.totals\n"
           "    from: {customers: id, orders: SELECT orders.customer}\n"
           "    select: |\n"
           "      SELECT customers.id, customers.email, sum(s.total) AS total\n"
           "      FROM customers LEFT JOIN orders s ON " +
           join + "\n      GROUP BY customers.id, customers.email\n";
  };
  EXPECT_THAT(CompileSums(50'000, sums("s.customer = customers.id")),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("Add under mirror_indexes: {orders: ['customer']}")));
  SetUp();
  const std::string computed = sums(
      "switchyard.uuid_of('k', s.customer::text) = switchyard.uuid_of('k', customers.id::text)");
  EXPECT_THAT(
      CompileSums(50'000, computed),
      testing::StatusIs(absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("{orders: ['switchyard.uuid_of(''k'', customer::text)']}"),
                              Not(HasSubstr("sha256")))));
  SetUp();
  EXPECT_OK(
      CompileSums(50'000,
                  "  mirror_indexes: {orders: ['switchyard.uuid_of(''k'', customer::text)']}\n"
                  "  tables:\n" +
                      computed));
}

// What no index helps gets no index for advice, which would lead back to the same fault.
TEST_F(RestrictionTest, NoIndexIsAdvisedThatDoesNotHelp) {
  EXPECT_THAT(CompileSums(50'000,
                          "  - table: public.totals\n"
                          "    from: {customers: id, orders: SELECT orders.customer}\n"
                          "    select: |\n"
                          "      SELECT c.id, c.email, sum(o.total) AS total\n"
                          "      FROM customers c LEFT JOIN orders o ON o.customer + c.id = 5\n"
                          "      GROUP BY c.id, c.email\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                AllOf(HasSubstr("no index over an expression of that table serves"),
                                      Not(HasSubstr("mirror_indexes")))));
}

TEST_F(RestrictionTest, ASmallTableMayBeScanned) { EXPECT_OK(CompileSums(500, kByEmail)); }

TEST_F(RestrictionTest, TheIndexNamedIsEnough) {
  EXPECT_OK(
      CompileSums(50'000, "  mirror_indexes: {orders: ['customer']}\n  tables:\n" + kByEmail));
}

TEST_F(RestrictionTest, RefusesARuleThatHasToReadABigTable) {
  EXPECT_THAT(
      CompileSums(50'000,
                  "  - table: public.totals\n"
                  "    from:\n"
                  "      customers: SELECT o.id FROM orders o WHERE o.customer = customers.id\n"
                  "      orders: id\n"
                  "    select: SELECT o.id, o.total, c.email FROM orders o JOIN customers c ON "
                  "c.id = o.customer\n"),
      testing::StatusIs(
          absl::StatusCode::kInvalidArgument,
          AllOf(HasSubstr(
                    "from.customers of public.totals: looking through a few changed rows has to "
                    "read all of orders"),
                HasSubstr("{orders: ['customer']}"))));
  EXPECT_EQ(faults_.size(), 1u);
}

TEST_F(RestrictionTest, RefusesAScopeThatNewHasNoIndexFor) {
  const std::string forward =
      "  - table: public.sums\n"
      "    from: {orders: customer}\n"
      "    scope: customer\n"
      "    select: SELECT id, customer, total / 2 AS total FROM orders WHERE customer IS NOT "
      "NULL\n";
  const std::string table =
      "CREATE TABLE sums (id int PRIMARY KEY, customer int NOT NULL, total numeric);";
  EXPECT_THAT(
      CompileSums(50'000, forward, table),
      testing::StatusIs(absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("finding its rows by customer"),
                              HasSubstr("CREATE INDEX ON \"public\".\"sums\" ((customer))"))));
  SetUp();
  EXPECT_OK(CompileSums(50'000, forward, table + "CREATE INDEX ON sums (customer)"));
}

TEST_F(RestrictionTest, ALookupIsJudgedByItsRealSize) {
  const std::string forward =
      "  - table: public.totals\n"
      "    from: {customers: id}\n"
      "    static: [public.lookup]\n"
      "    select: SELECT c.id, c.email, l.rate AS total FROM customers c JOIN public.lookup l ON "
      "l.rate = c.id\n";
  EXPECT_OK(CompileSums(1, forward));
  SetUp();
  EXPECT_THAT(CompileSums(1, forward,
                          "INSERT INTO lookup SELECT g, g FROM generate_series(1, 20000) g; "
                          "ANALYZE lookup"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                AllOf(HasSubstr("read all of public.lookup"),
                                      HasSubstr("ON \"public\".\"lookup\" ((rate))"))));
}

TEST_F(RestrictionTest, ADeclaredIndexMustBePossible) {
  EXPECT_THAT(
      CompileSums(1, "  mirror_indexes: {orders: [custmer], ordrs: [id]}\n  tables:\n" + kSums),
      testing::StatusIs(absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("column \"custmer\" does not exist"),
                              HasSubstr("no such table is mirrored; did you mean orders?"))));
}

TEST(WholeScansTest, AnIndexScanWithoutAConditionReadsEverything) {
  const std::string plan = R"json(
[{"Plan": {
  "Node Type": "Nested Loop", "Join Filter": "(lower(b.email) = c.email)",
  "Plans": [
    {"Node Type": "Index Scan", "Relation Name": "c", "Alias": "c", "Schema": "public",
     "Index Cond": "(c.id = 1)"},
    {"Node Type": "Index Only Scan", "Relation Name": "bookings", "Alias": "b",
     "Schema": "pg_temp"}]}}]
)json";
  ASSERT_OK_AND_ASSIGN(const std::vector<WholeScan> scans, WholeScans(plan));
  EXPECT_THAT(scans, ::testing::ElementsAre(
                         AllOf(Field(&WholeScan::table, "bookings"),
                               Field(&WholeScan::condition, "(lower(b.email) = c.email)"),
                               Field(&WholeScan::expression, "lower(email)"))));
  EXPECT_FALSE(WholeScans("{}").ok());
}

}  // namespace
}  // namespace switchyard::mapping
