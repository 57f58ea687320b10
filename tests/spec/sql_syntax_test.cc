#include "common/spec/sql_syntax.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::spec {
namespace {

using ::testing::HasSubstr;

TEST(SqlSyntaxTest, TakesExpressions) {
  for (const char* sql : {"a", "lower(email)", "a || 'x;y'", "(SELECT max(id) FROM t)", "NULL",
                          "CASE WHEN a THEN b END", "a -- a comment", "count(*)", "ROW(t.*)",
                          "a = ANY(ARRAY[1, 2])", "\n a::text COLLATE \"C\" "}) {
    EXPECT_FALSE(CheckExpression(sql).has_value()) << sql << ": " << CheckExpression(sql)->message;
  }
}

TEST(SqlSyntaxTest, RefusesWhatIsMoreOrLessThanOneExpression) {
  for (const char* sql : {"",           "  ",       "-- nothing",      "a, b",
                          "a b",        "a AS b",   "a FROM t",        "*",
                          "t.*",        "a;",       "a; DROP TABLE t", "a) + (b",
                          "DISTINCT a", "ALL a",    "a LIMIT 1",       "a UNION SELECT b",
                          "SELECT 1",   "FROM t",   "a /* open",       "'open",
                          "$1",         "a INTO t", "a WHERE b",       "1) FROM (SELECT 1"}) {
    EXPECT_TRUE(CheckExpression(sql).has_value()) << sql;
  }
}

TEST(SqlSyntaxTest, TakesQueries) {
  for (const char* sql :
       {"SELECT 1", "SELECT 1;", "WITH x AS (SELECT 1) SELECT * FROM x", "VALUES (1), (2)",
        "TABLE t", "(SELECT 1) UNION ALL (SELECT 2)", "SELECT 1 ; -- done\n"}) {
    EXPECT_FALSE(CheckQuery(sql).has_value()) << sql << ": " << CheckQuery(sql)->message;
  }
}

TEST(SqlSyntaxTest, RefusesQueriesThatWriteLockOrAreSeveral) {
  for (const char* sql :
       {"", "-- nothing", "SELECT 1; SELECT 2", "INSERT INTO t VALUES (1)", "DELETE FROM t",
        "SELECT 1 INTO t", "WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT * FROM x",
        "SELECT * FROM t FOR UPDATE", "SELECT $1", "SELECT FROM WHERE"}) {
    EXPECT_TRUE(CheckQuery(sql).has_value()) << sql;
  }
}

TEST(SqlSyntaxTest, CountsTheOffsetInBytesOfTheFragment) {
  const auto expression = CheckExpression("'é' || )");
  ASSERT_TRUE(expression.has_value());
  EXPECT_THAT(expression->message, HasSubstr("syntax error at or near \")\""));
  EXPECT_EQ(expression->offset, 8u);
  const auto query = CheckQuery("SELECT 'é' FROM FROM t");
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->offset, 17u);
  EXPECT_EQ(CheckExpression("a + $1")->offset, 4u);
  EXPECT_EQ(CheckExpression("a +")->offset, 3u);
}

TEST(SqlSyntaxTest, KnowsAQueryByItsFirstWord) {
  EXPECT_TRUE(StartsQuery("  -- why\n /* and */ select 1"));
  EXPECT_TRUE(StartsQuery("WITH(x) AS"));
  EXPECT_FALSE(StartsQuery("selected"));
  EXPECT_FALSE(StartsQuery("select_1"));
  EXPECT_FALSE(StartsQuery("table.x"));
  EXPECT_FALSE(StartsQuery("(SELECT 1)"));
  EXPECT_FALSE(StartsQuery(""));
}

TEST(SqlSyntaxTest, CutsTheSemicolonOnly) {
  EXPECT_EQ(WithoutSemicolon("SELECT ';' ; -- x"), "SELECT ';' ");
  EXPECT_EQ(WithoutSemicolon("SELECT 1 -- x;"), "SELECT 1 -- x;");
  EXPECT_EQ(WithoutSemicolon("SELEC 1;"), "SELEC 1;");
}

}  // namespace
}  // namespace switchyard::spec
