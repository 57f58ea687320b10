// What an assignment loses, held against what Postgres itself does.
#include "common/catalog/narrowing.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::catalog {
namespace {

struct Assignment {
  const char* from;
  const char* value;
  const char* to;
};

// Values that lose the most on that way.
constexpr Assignment kLosing[] = {
    {"numeric", "1.239", "numeric(12,2)"},
    {"numeric(12,4)", "1.2399", "numeric(12,2)"},
    {"numeric(4)", "1239", "numeric(4,-2)"},
    {"numeric", "1.5", "int8"},
    {"numeric(8,1)", "1.5", "int2"},
    {"numeric", "1.239", "money"},
    {"numeric", "0.12345678901234567", "float8"},
    {"numeric(20)", "12345678901234567891", "float8"},
    {"numeric(8)", "16777217", "float4"},
    {"int8", "9007199254740993", "float8"},
    {"int4", "16777217", "float4"},
    {"money", "1.25", "numeric(12,1)"},
    {"float8", "1.5", "int4"},
    {"float4", "1.5", "int8"},
    {"float8", "0.10000000000000002", "numeric"},
    {"float4", "0.10000001", "numeric"},
    {"float8", "0.123456789", "float4"},
    {"timestamp", "2026-01-02 03:04:05.678", "timestamp(0)"},
    {"timestamptz(3)", "2026-01-02 03:04:05.678+00", "timestamptz(2)"},
    {"timestamp", "2026-01-02 03:04:05", "date"},
    {"timestamptz", "2026-01-02 03:04:05+00", "date"},
    {"timestamptz", "2026-01-02 03:04:05+00", "timetz"},
    {"timestamp", "2026-01-02 03:04:05", "time"},
    {"timetz", "03:04:05+02", "time"},
    {"time", "03:04:05.678", "time(1)"},
    {"time", "03:04:05.678", "interval(1)"},
    {"interval", "2 days 03:04:05", "time"},
    {"interval", "03:04:05.678", "interval(1)"},
    {"interval", "2 days 03:04:05", "interval day"},
    {"interval day to second", "2 days 03:04:05", "interval hour to minute"},
    {"interval", "14 months", "interval year"},
    {"text", "abc", "\"char\""},
    {"varchar", "a123456789b123456789c123456789d123456789e123456789f123456789g123456789", "name"},
    {"inet", "10.1.2.3/8", "cidr"},
    {"numeric[]", "{1.239}", "numeric(12,2)[]"},
    {"timestamp[]", "{2026-01-02 03:04:05.678}", "timestamp(1)[]"},
    {"float8[]", "{0.123456789}", "float4[]"},
    {"numeric_domain", "1.239", "numeric(12,2)"},
    {"numeric", "1.239", "cents"},
};

constexpr Assignment kKeeping[] = {
    {"numeric(12,2)", "1.23", "numeric(14,3)"},
    {"numeric(12,2)", "1.23", "numeric"},
    {"numeric(4,-2)", "1200", "int4"},
    {"numeric(15,3)", "123456789012.345", "float8"},
    {"numeric(6)", "123456", "float4"},
    {"int8", "9007199254740993", "numeric(19)"},
    {"int4", "2147483647", "float8"},
    {"int2", "32767", "float4"},
    {"int8", "7", "int2"},
    {"money", "1.25", "numeric(12,2)"},
    {"float4", "0.5", "float8"},
    {"timestamp(3)", "2026-01-02 03:04:05.678", "timestamptz"},
    {"timestamptz", "2026-01-02 03:04:05.678901+00", "timestamp(6)"},
    {"date", "2026-01-02", "timestamp(0)"},
    {"time", "03:04:05.678901", "interval"},
    {"time(1)", "03:04:05.6", "time(2)"},
    {"interval", "14 months 2 days 03:04:05.678", "interval day to second"},
    {"interval year", "3 years", "interval year to month"},
    {"interval(2)", "03:04:05.67", "interval"},
    {"varchar(40)", "abc", "text"},
    {"text", "abc", "varchar(3)"},
    {"name", "abc", "text"},
    {"cidr", "10.0.0.0/8", "inet"},
    {"numeric(12,2)[]", "{1.23}", "numeric[]"},
    {"cents", "1.23", "numeric(12,2)"},
};

class NarrowingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, testing::MiniPostgres::Start());
    ASSERT_OK_AND_ASSIGN(session_, server_->Connect("postgres"));
    ASSERT_OK(
        session_->Execute("CREATE DOMAIN numeric_domain AS numeric;"
                          "CREATE DOMAIN cents AS numeric(12,2)"));
  }
  // Whether the value comes back as it was, as Postgres has it.
  bool Kept(const Assignment& a) {
    const std::string value = absl::StrCat(QuoteLiteral(a.value), "::", a.from);
    EXPECT_OK(session_->Execute(absl::StrCat("DROP TABLE IF EXISTS kept; CREATE TABLE kept (v ",
                                             a.to, "); INSERT INTO kept SELECT ", value)));
    // A time of day is no timestamp: what can't be read back is lost as well.
    const absl::StatusOr<pg::Result> back = session_->Query(
        absl::StrCat("SELECT v::text::", a.from, "::text = ", value, "::text FROM kept"));
    return back.ok() && back->boolean(0, 0);
  }
  AssignedType TypeOf(const char* type) {
    const absl::StatusOr<pg::Result> row =
        session_->Query(absl::StrCat("SELECT NULL::", type, " LIMIT 0"));
    EXPECT_OK(row);
    return {row->column_type(0), row->column_modifier(0)};
  }

  std::unique_ptr<testing::MiniPostgres> server_;
  std::unique_ptr<pg::Session> session_;
};

TEST_F(NarrowingTest, NamesWhatPostgresLosesAndNothingElse) {
  for (const Assignment& a : kLosing) {
    EXPECT_FALSE(Kept(a)) << a.from << " -> " << a.to;
    EXPECT_NE(LostInAssignment(TypeOf(a.from), TypeOf(a.to), true), nullptr)
        << a.from << " -> " << a.to;
  }
  for (const Assignment& a : kKeeping) {
    EXPECT_TRUE(Kept(a)) << a.from << " -> " << a.to;
    EXPECT_EQ(LostInAssignment(TypeOf(a.from), TypeOf(a.to), true), nullptr)
        << a.from << " -> " << a.to;
  }
}

// round(x) and sum(x) are numeric, count(*) is bigint: the type says less than the author knows.
TEST_F(NarrowingTest, AnExpressionIsHeldAgainstWhatItsTypeSaysForSure) {
  const AssignedType cents = TypeOf("numeric(12,2)");
  EXPECT_EQ(LostInAssignment(TypeOf("numeric"), cents, false), nullptr);
  EXPECT_EQ(LostInAssignment(TypeOf("numeric"), TypeOf("int4"), false), nullptr);
  EXPECT_EQ(LostInAssignment(TypeOf("int8"), TypeOf("float8"), false), nullptr);
  EXPECT_NE(LostInAssignment(TypeOf("numeric(12,3)"), cents, false), nullptr);
  EXPECT_NE(LostInAssignment(TypeOf("float8"), cents, false), nullptr);
}

}  // namespace
}  // namespace switchyard::catalog
