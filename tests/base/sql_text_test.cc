#include "common/base/sql_text.h"

#include "gtest/gtest.h"

namespace switchyard {
namespace {

TEST(SqlTextTest, OnlyWhatWeWroteIsReplaced) {
  const auto replaced = [](std::string_view sql) { return ReplaceInSql(sql, "{load}", "T"); };
  EXPECT_EQ(replaced("SELECT FROM {load} AS a, {load}"), "SELECT FROM T AS a, T");
  for (const char* theirs : {
           "'see {load}'",
           "'it''s {load}'",
           "E'it\\'s {load}'",
           "e'\\\\' || '{load}'",
           "E'it''s \\' {load}'",
           "'\\' || '{load}'",
           "\"{load}\"",
           "\"a\"\"{load}\"",
           "$${load}'$$",
           "$a$ $$ {load} $b$ $a$",
           "-- {load}' \n",
           "/* /* ' */ {load} */",
           "'{load}",
           "/* {load}",
           "$1 || '{load}'",
           "a$1$ || '{load}'",
       }) {
    const std::string sql(theirs);
    EXPECT_EQ(replaced(sql), sql);
    const bool open = sql == "'{load}" || sql == "/* {load}";
    if (open) continue;
    EXPECT_EQ(replaced(sql + " FROM {load}"), sql + " FROM T");
  }
}

}  // namespace
}  // namespace switchyard
