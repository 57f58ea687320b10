#include "replayer/write/refusals.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "common/pg/error.h"
#include "gmock/gmock.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

absl::Status Refused(const std::string& sqlstate) {
  return pg::WithErrorFields(absl::FailedPreconditionError("refused"), {.sqlstate = sqlstate});
}

// Rows 1 to `count`, each with a unique value: its own number, until it gets the one it wants.
class Table {
 public:
  explicit Table(int64_t count) {
    for (int64_t row = 1; row <= count; ++row) values_[row] = row;
  }
  std::map<int64_t, int64_t> wanted;
  std::set<int64_t> bad;
  size_t attempts = 0, rows_max = 0;

  int64_t value(int64_t row) const { return values_.at(row); }

  std::vector<int64_t> Write(const Numbers& without, int64_t piece_max) {
    const auto write = [&](const Numbers& rows) { return Try(rows, {}, &values_); };
    const auto fits = [&](const Numbers& rows, const Numbers& among) {
      std::map<int64_t, int64_t> copy = values_;
      return Try(rows, among, &copy);
    };
    const auto refusals =
        WriteInPieces(static_cast<int64_t>(values_.size()), without, piece_max, {write, fits});
    EXPECT_OK(refusals.status());
    std::vector<int64_t> rows;
    for (const Refusal& refusal : *refusals) rows.push_back(refusal.number);
    std::ranges::sort(rows);
    return rows;
  }

 private:
  absl::Status Try(const Numbers& rows, const Numbers& away, std::map<int64_t, int64_t>* values) {
    ++attempts;
    rows_max = std::max(rows_max, rows.size());
    std::map<int64_t, int64_t> after = *values;
    for (const int64_t row : away) after.erase(row);
    for (const int64_t row : rows) {
      if (bad.contains(row)) return Refused("23514");
      after[row] = wanted.contains(row) ? wanted.at(row) : row;
    }
    std::set<int64_t> taken;
    for (const auto& [row, value] : after) {
      if (!taken.insert(value).second) return Refused("23505");
    }
    *values = std::move(after);
    return absl::OkStatus();
  }

  std::map<int64_t, int64_t> values_;
};

TEST(WriteInPiecesTest, NoAttemptHoldsMoreThanAPiece) {
  Table table(100);
  table.bad = {7, 50, 93};
  EXPECT_THAT(table.Write({4, 5}, 10), ElementsAre(7, 50, 93));
  EXPECT_EQ(table.rows_max, 10);
}

TEST(WriteInPiecesTest, ALaterPieceMakesRoomForRowsOfAnEarlierOne) {
  Table table(30);
  table.wanted = {{1, 15}, {15, 25}, {25, 100}, {3, 28}, {28, 3}};
  EXPECT_THAT(table.Write({}, 10), IsEmpty());
  for (const auto& [row, value] : table.wanted) EXPECT_EQ(table.value(row), value);
}

TEST(WriteInPiecesTest, WhatWaitsForARefusedRowOfAnotherPieceStays) {
  Table table(40);
  table.wanted = {{1, 11}, {11, 21}, {21, 31}, {31, 1}, {2, 12}, {12, 22}, {22, 2}};
  table.bad = {21};
  EXPECT_THAT(table.Write({}, 10), ElementsAre(1, 11, 21, 31));
  EXPECT_EQ(table.value(1), 1);
  EXPECT_EQ(table.value(2), 12);
}

TEST(WriteInPiecesTest, WhatIsLeftOutIsNotTried) {
  Table table(20);
  table.wanted = {{3, 13}, {13, 3}};
  EXPECT_THAT(table.Write({13}, 10), ElementsAre(3));
  EXPECT_THAT(table.Write({}, 20), IsEmpty());
}

// To ask each row alone would take hours of a large table.
TEST(WriteInPiecesTest, ValuesThatAllGoRoundMoveAtOnceWithoutAskingEach) {
  Table table(5000);
  for (int64_t row = 1; row <= 5000; ++row) table.wanted[row] = row % 5000 + 1;
  EXPECT_THAT(table.Write({}, 500), IsEmpty());
  EXPECT_EQ(table.value(5000), 1);
  EXPECT_LT(table.attempts, 2500);
}

}  // namespace
}  // namespace switchyard::replayer
