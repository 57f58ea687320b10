#include "verify/compare_sql.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "verify/result.h"
#include "verify/scan.h"

namespace switchyard::verify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RowsSql Orders() {
  return {.columns = {{"id", "sy_t.\"id\"", Form::kPlain},
                      {"it's", "sy_t.\"it's\"", Form::kText},
                      {"tags", "sy_t.\"tags\""}},
          .key = {0},
          .from = "FROM ONLY \"public\".\"orders\" AS sy_t"};
}

TEST(CompareSqlTest, AScanGivesTheBucketOfTheKeyAndAHashOfTheWholeRow) {
  EXPECT_EQ(ScanSql(Orders()),
            "SELECT hashtextextended((sy_t.\"id\")::text COLLATE pg_catalog.\"C\", 0) & 65535, "
            "hashtextextended(concat_ws(E'\\x1f', sy_t.\"id\" IS NULL, sy_t.\"id\", "
            "coalesce(octet_length(sy_t.\"it's\"), -1), sy_t.\"it's\", "
            "ROW(sy_t.\"tags\")::text) COLLATE pg_catalog.\"C\", 1) "
            "FROM ONLY \"public\".\"orders\" AS sy_t");
}

TEST(CompareSqlTest, WhereEncodingsDifferBothHashTheBytesOfUtf8) {
  RowsSql rows = Orders();
  rows.in_utf8 = true;
  EXPECT_EQ(ScanSql(rows),
            "SELECT hashtextextended(encode(convert_to((sy_t.\"id\")::text, 'UTF8'), 'hex') "
            "COLLATE pg_catalog.\"C\", 0) & 65535, "
            "hashtextextended(encode(convert_to(concat_ws(E'\\x1f', sy_t.\"id\" IS NULL, "
            "sy_t.\"id\", coalesce(octet_length(convert_to(sy_t.\"it's\", 'UTF8')), -1), "
            "sy_t.\"it's\", ROW(sy_t.\"tags\")::text), 'UTF8'), 'hex') "
            "COLLATE pg_catalog.\"C\", 1) FROM ONLY \"public\".\"orders\" AS sy_t");
}

// More than a function takes arguments.
TEST(CompareSqlTest, OfManyColumnsMostGoIntoARecord) {
  RowsSql rows = Orders();
  for (int i = 0; i < 100; ++i) {
    rows.columns.push_back({"c", absl::StrCat("c", i), Form::kPlain});
  }
  EXPECT_THAT(ScanSql(rows), HasSubstr("c42 IS NULL, c42, ROW(sy_t.\"tags\", c43, c44, "));
}

TEST(CompareSqlTest, RowsOfSomeBucketsAreReadWithTheirKeysAndColumns) {
  RowsSql rows = Orders();
  rows.from += " WHERE (id > 3)";
  rows.filtered = true;
  const std::string sql = DetailSql(rows, {5, 7});
  EXPECT_THAT(sql,
              HasSubstr("json_object('{\"id\"}'::text[], ARRAY[(sy_t.\"id\")::text]::text[])"));
  EXPECT_THAT(sql, HasSubstr("json_object('{\"id\",\"it''s\",\"tags\"}'::text[], ARRAY["));
  EXPECT_THAT(sql, HasSubstr(" WHERE (id > 3) AND (hashtextextended("));
  EXPECT_THAT(sql, HasSubstr(" & 65535) = ANY('{5,7}'::bigint[])"));
}

TEST(BucketsTest, SumsDoNotCareForTheOrderAndSeeWhatIsThereTwice) {
  Buckets a;
  Buckets b;
  for (const char* line : {"3\t-9223372036854775808\n", "3\t17\n", "65535\t-1\n"}) {
    ASSERT_TRUE(a.Add(line).ok());
  }
  for (const char* line : {"65535\t-1\n", "3\t17\n", "3\t-9223372036854775808\n"}) {
    ASSERT_TRUE(b.Add(line).ok());
  }
  EXPECT_TRUE(DifferingBuckets(a, b).empty());
  EXPECT_EQ(a.total(), 3);
  ASSERT_TRUE(a.Add("9\t0\n").ok());  // the sum is the same, the number of rows is not
  ASSERT_TRUE(b.Add("4\t5\n").ok());
  ASSERT_TRUE(b.Add("4\t5\n").ok());
  EXPECT_THAT(DifferingBuckets(a, b), ElementsAre(4, 9));
}

TEST(BucketsTest, RefusesWhatIsNoHash) {
  for (const char* line :
       {"", "\n", "1\n", "1\t2", "1\tx\n", "65536\t1\n", "-1\t1\n", "1\t2\t3\n"}) {
    EXPECT_FALSE(Buckets().Add(line).ok()) << line;
  }
}

TEST(ConcludeTest, TheWorstVerdictHoldsAndFewerTablesThanThereAreAreNone) {
  using records::Verdict;
  const auto conclude = [](std::vector<Verdict> verdicts, size_t wanted) {
    PassResult result;
    for (const Verdict verdict : verdicts) {
      result.tables.push_back({.table = "t", .verdict = verdict, .reason = "why"});
    }
    Conclude(wanted, &result);
    return records::ToString(result.verdict) + " " + result.reason;
  };
  EXPECT_EQ(conclude({Verdict::kClean, Verdict::kClean}, 2), "clean ");
  EXPECT_EQ(conclude({Verdict::kClean, Verdict::kDifferent}, 2), "different ");
  EXPECT_EQ(conclude({Verdict::kDifferent, Verdict::kInconclusive}, 2), "inconclusive t: why");
  EXPECT_EQ(conclude({Verdict::kClean}, 2), "inconclusive only 1 of 2 tables were compared");
  EXPECT_EQ(conclude({}, 0), "inconclusive there is no table to compare");
}

}  // namespace
}  // namespace switchyard::verify
