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

TEST(StringsTest, CutsNoCharacterInTwo) {
  EXPECT_EQ(CutUtf8("abc", 3), "abc");
  EXPECT_EQ(CutUtf8("abcd", 3), "abc");
  EXPECT_EQ(CutUtf8("aü", 3), "aü");
  EXPECT_EQ(CutUtf8("aü", 2), "a");
  EXPECT_EQ(CutUtf8("€", 2), "");
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
