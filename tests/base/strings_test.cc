#include "common/base/strings.h"

#include <vector>

#include "gtest/gtest.h"

namespace switchyard {
namespace {

TEST(StringsTest, QuotesIdentifiersAndLiterals) {
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteQualified("public", "Users"), "\"public\".\"Users\"");
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
}

TEST(StringsTest, FindsTheNearestWordOnlyWhenItIsNear) {
  const std::vector<std::string> known = {"copy", "select", "scope"};
  EXPECT_EQ(NearestWord("cpoy", known), "copy");
  EXPECT_EQ(NearestWord("scpoe", known), "scope");
  EXPECT_EQ(NearestWord("zzzzzz", known), "");
}

TEST(StringsTest, PrintsBytesForPeople) {
  EXPECT_EQ(HumanBytes(12), "12 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 kB");
  EXPECT_EQ(HumanBytes(int64_t{5} << 30), "5.0 GB");
}

TEST(StringsTest, ArrayLiteralKeepsEveryElementApart) {
  EXPECT_EQ(ArrayLiteral({}), "{}");
  EXPECT_EQ(ArrayLiteral({"a", "", "NULL", "x\"y\\z,{}"}), R"({"a","","NULL","x\"y\\z,{}"})");
}

}  // namespace
}  // namespace switchyard
