#include "common/spec/values.h"

#include "common/spec/document.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

TEST(ValuesTest, ReadsSizes) {
  EXPECT_EQ(ParseSize("256MiB"), int64_t{256} << 20);
  EXPECT_EQ(ParseSize("1.5 GB"), 1'500'000'000);
  EXPECT_EQ(ParseSize("0B"), 0);
  for (const char* text : {"", "5", "MiB", "-1MiB", "infMiB", "nanB", "9EB", "99999999TiB", "1 mib",
                           "1e400B", "0x10kB "}) {
    EXPECT_FALSE(ParseSize(text).has_value()) << text;
  }
}

TEST(ValuesTest, WritesSizesInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatSize(int64_t{256} << 20), "256MiB");
  EXPECT_EQ(FormatSize(1025), "1025B");
  EXPECT_EQ(FormatSize(0), "0B");
}

TEST(ValuesTest, ReadsDurationsWithTheirUnit) {
  EXPECT_EQ(ParseDurationText("1m30s"), absl::Seconds(90));
  EXPECT_EQ(ParseDurationText("500ms"), absl::Milliseconds(500));
  for (const char* text : {"", "0", "5", "-1s", "inf", "s", "10 s", "1d"}) {
    EXPECT_FALSE(ParseDurationText(text).has_value()) << text;
  }
}

TEST(ValuesTest, ReadsNamesAsTheCatalogueSpellsThem) {
  EXPECT_THAT(ParseTableName("Booking"), Optional(TableName{"", "Booking"}));
  EXPECT_THAT(ParseTableName("crm.users"), Optional(TableName{"crm", "users"}));
  EXPECT_THAT(ParseTableName("\"a.b\".\"c\"\"d\""), Optional(TableName{"a.b", "c\"d"}));
  for (const char* text : {"", ".", "a.", ".a", "a.b.c", "\"a", "a\"b", "\"a\"b", "\"\""}) {
    EXPECT_FALSE(ParseTableName(text).has_value()) << text;
  }
  EXPECT_TRUE(ParseTableName(std::string(63, 'x')).has_value());
  EXPECT_FALSE(ParseTableName(std::string(64, 'x')).has_value());
}

TEST(ValuesTest, WritesNamesSoThatTheyCanBeReadBack) {
  for (const TableName& name : {TableName{"", "users"}, TableName{"crm", "Weird.One"},
                                TableName{"a\"b", "1st"}, TableName{"", "ü"}}) {
    EXPECT_THAT(ParseTableName(name.ToString()), Optional(name));
  }
  EXPECT_EQ((TableName{"public", "Booking"}).ToString(), "public.\"Booking\"");
}

// The place in the file of the n-th byte of the scalar `value` of key k.
size_t OffsetOf(const std::string& text, size_t value_offset) {
  Document document;
  DocumentProblem problem;
  EXPECT_TRUE(ParseDocument(text, &document, &problem)) << problem.message;
  return document.OffsetInScalar(document.root.values.at(0), value_offset);
}

TEST(DocumentTest, FindsPlacesInsideEveryStyleOfScalar) {
  EXPECT_EQ(OffsetOf("k: ab cd\n", 3), 6u);
  EXPECT_EQ(OffsetOf("k: \"ab cd\"\n", 3), 7u);
  EXPECT_EQ(OffsetOf("k: \"a\\\"b\"\n", 2), 7u);
  EXPECT_EQ(OffsetOf("k: 'it''s x'\n", 5), 10u);
  EXPECT_EQ(OffsetOf("k: |\n  ab\n    cd\n", 5), 14u);
  EXPECT_EQ(OffsetOf("k: >-\n  ab\n  cd\n", 3), 13u);
  EXPECT_EQ(OffsetOf("k: ab\n  cd\n", 3), 8u);
  // What an escape hides is answered with the place where the scalar begins.
  EXPECT_EQ(OffsetOf("k: \"\\x41b\"\n", 1), 3u);
}

TEST(DocumentTest, CountsColumnsInCharacters) {
  EXPECT_EQ(PositionOf("aé\nüx", 5).column, 2);
  EXPECT_EQ(PositionOf("aé\nüx", 6).column, 2);
  EXPECT_EQ(PositionOf("a\nb", 99).line, 2);
}

}  // namespace
}  // namespace switchyard::spec
