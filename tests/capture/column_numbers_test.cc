#include "capture/publish/column_numbers.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::capture {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kInt = 23;
constexpr uint32_t kText = 25;

// A message with these columns, of type int but for those whose name begins with "t".
std::vector<RelationColumn> Message(const std::vector<const char*>& names) {
  std::vector<RelationColumn> columns;
  for (const char* name : names) {
    columns.push_back({.name = name, .type_oid = name[0] == 't' ? kText : kInt});
  }
  return columns;
}

// By number; "" is a column that was dropped.
NumberedColumns Catalogue(const std::map<int, const char*>& names) {
  NumberedColumns columns;
  for (const auto& [number, name] : names) {
    columns.last = number;
    if (*name == '\0') continue;
    columns.live.push_back({name, name[0] == 't' ? kText : kInt, number});
  }
  return columns;
}

std::vector<int> Numbers(const std::vector<const char*>& message,
                         const std::map<int, const char*>& own) {
  std::vector<int> numbers;
  const NumberedColumns none;
  for (const ColumnNumbers& column : MatchColumns(Message(message), Catalogue(own), none)) {
    EXPECT_EQ(column.root, 0);
    numbers.push_back(column.own);
  }
  return numbers;
}

TEST(ColumnNumbersTest, ColumnsAreFoundByNameAndType) {
  EXPECT_THAT(Numbers({"id", "a", "b"}, {{1, "id"}, {2, "a"}, {5, "b"}}), ElementsAre(1, 2, 5));
}

TEST(ColumnNumbersTest, WhatHappenedSinceToOthersDoesNotMatter) {
  EXPECT_THAT(Numbers({"id", "a"}, {{1, "id"}, {2, "a"}, {3, "new"}}), ElementsAre(1, 2));
  EXPECT_THAT(Numbers({"id", "x", "a"}, {{1, "id"}, {2, ""}, {3, ""}, {4, "a"}}),
              ElementsAre(1, 0, 4));
}

TEST(ColumnNumbersTest, WhereThereIsRoomForOneItIsThatOne) {
  // Dropped, renamed, given another type since: in between and at the end.
  EXPECT_THAT(Numbers({"id", "x", "a"}, {{1, "id"}, {2, ""}, {3, "a"}}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Numbers({"id", "x", "a"}, {{1, "id"}, {2, "y"}, {3, "a"}}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Numbers({"id", "x", "a"}, {{1, "id"}, {2, "tx"}, {3, "a"}}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Numbers({"id", "a", "x"}, {{1, "id"}, {2, "a"}, {3, ""}}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Numbers({"id", "a", "x"}, {{1, "id"}, {2, "a"}, {3, "y"}}), ElementsAre(1, 2, 3));
  // The last may have come since.
  EXPECT_THAT(Numbers({"id", "a", "x"}, {{1, "id"}, {2, "a"}, {3, ""}, {4, "y"}}),
              ElementsAre(1, 2, 0));
}

TEST(ColumnNumbersTest, AMessageOfBeforeTwoNamesWereSwappedHasNoNumbers) {
  EXPECT_THAT(Numbers({"id", "a", "b"}, {{1, "id"}, {2, "b"}, {3, "a"}}), ElementsAre(0, 0, 0));
}

TEST(ColumnNumbersTest, AColumnThatCanNotHaveBeenThereIsNotTakenForAnother) {
  // `a` was renamed to c, and another one made under its name: it would come after b.
  EXPECT_THAT(Numbers({"id", "a", "b"}, {{1, "id"}, {2, "c"}, {3, "b"}, {4, "a"}}),
              ElementsAre(0, 0, 0));
  EXPECT_THAT(Numbers({"id", "a"}, {{1, "id"}, {2, "c"}, {3, "a"}}), ElementsAre(0, 0));
  // More columns in the message than numbers there are for them.
  EXPECT_THAT(Numbers({"id", "x", "y", "a"}, {{1, "id"}, {2, ""}, {3, "a"}}),
              ElementsAre(0, 0, 0, 0));
}

TEST(ColumnNumbersTest, APartitionHasNumbersOfItsOwnBesideItsRoots) {
  const auto numbers = MatchColumns(Message({"a", "id"}), Catalogue({{2, "a"}, {4, "id"}}),
                                    Catalogue({{1, "id"}, {3, "a"}}));
  EXPECT_THAT(numbers, ElementsAre(ColumnNumbers{2, 3}, ColumnNumbers{4, 1}));
  // Renamed since, in both.
  EXPECT_THAT(MatchColumns(Message({"a", "id"}), Catalogue({{1, "b"}, {2, "id"}}),
                           Catalogue({{1, "id"}, {2, "b"}})),
              ElementsAre(ColumnNumbers{1, 2}, ColumnNumbers{2, 1}));
}

TEST(ColumnNumbersTest, OfAPartitionThatIsGoneTheRootTells) {
  const auto numbers =
      MatchColumns(Message({"a", "id", "b"}), NumberedColumns{}, Catalogue({{1, "id"}, {3, "a"}}));
  EXPECT_THAT(numbers, ElementsAre(ColumnNumbers{0, 3}, ColumnNumbers{0, 1}, ColumnNumbers{0, 0}));
  EXPECT_THAT(MatchColumns(Message({"a"}), NumberedColumns{}, NumberedColumns{}),
              ElementsAre(ColumnNumbers{}));
}

}  // namespace
}  // namespace switchyard::capture
