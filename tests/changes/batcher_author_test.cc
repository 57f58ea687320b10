// Whose changes a batch has: the application's, the other stream's, or a breach's; and what becomes
// of those that bring nothing.
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/changes/batcher_events.h"
#include "tests/support/status_matchers.h"

namespace switchyard::changes {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;

// Table o has a mirror, t has none.
mapping::Plan OneMirror() {
  mapping::Plan plan = TwoTables();
  plan.sources[1].mirrored = true;
  return plan;
}

// What was taken of a log: author and rows of each batch.
struct Taken {
  Author author;
  size_t tables;
  uint64_t lsn;
  friend bool operator==(const Taken&, const Taken&) = default;
};

class BatcherAuthorTest : public ::testing::Test {
 protected:
  // As a reader takes them who is always busy until the end.
  std::vector<Taken> Batches(bool source_owns) {
    Batcher batcher(plan_, {}, {.source_owns = source_owns});
    std::vector<Taken> taken;
    const auto take = [&] {
      last_ = batcher.Take();
      taken.push_back({last_.author, last_.tables.size(), last_.lsn.value()});
    };
    for (const LogEvent& event : log_.events()) {
      EXPECT_THAT(batcher.Add(event.payload, event.next_offset), IsOk());
      while (batcher.full()) take();
    }
    only_progress_ = batcher.only_progress();
    while (batcher.has_complete()) take();
    return taken;
  }
  static ChangeEvent Mirrored(const std::string& id) { return Insert(id, "v", "B", kOtherTable); }
  static ChangeEvent Plain(const std::string& id) { return Insert(id, "v"); }

  const mapping::Plan plan_ = OneMirror();
  Log log_;
  Batch last_;
  bool only_progress_ = false;
};

TEST_F(BatcherAuthorTest, OursBringsWhatIsMirroredAndNothingElse) {
  log_.Hello(1, 0).Ours(100, {Plain("1"), Mirrored("1")});
  EXPECT_THAT(Batches(true), ElementsAre(Taken{Author::kOurs, 1, 100}));
  EXPECT_EQ(last_.tables[0].source, mapping::SourceIndex(1));
}

TEST_F(BatcherAuthorTest, AnEchoThatBringsNothingIsProgressAndCutsNoBatch) {
  log_.Hello(1, 0)
      .Transaction(100, {Plain("1")})
      .Ours(200, {Plain("2")})
      .Transaction(300, {Plain("3")})
      .Ours(400, {Plain("4")});
  EXPECT_THAT(Batches(true), ElementsAre(Taken{Author::kApplication, 1, 400}));
  EXPECT_EQ(last_.tables[0].changes.size(), 2u);
  EXPECT_EQ(last_.transactions, 4);
  EXPECT_FALSE(only_progress_);
}

TEST_F(BatcherAuthorTest, EchoesAloneAreProgressThatNobodyHastensFor) {
  log_.Hello(1, 0).Ours(100, {Plain("1")}).Ours(200, {Plain("2")});
  EXPECT_THAT(Batches(true), ElementsAre(Taken{Author::kApplication, 0, 200}));
  EXPECT_TRUE(only_progress_);
  EXPECT_TRUE(last_.only_progress());
}

TEST_F(BatcherAuthorTest, ABatchIsCutWhereItsAuthorChanges) {
  log_.Hello(1, 0)
      .Transaction(100, {Mirrored("1")})
      .Ours(200, {Mirrored("2")})
      .Ours(300, {Mirrored("3")})
      .Transaction(400, {Plain("4")});
  EXPECT_THAT(Batches(true),
              ElementsAre(Taken{Author::kApplication, 1, 100}, Taken{Author::kOurs, 1, 300},
                          Taken{Author::kApplication, 1, 400}));
}

// By the place in the log, whoever owns by the time it is read.
TEST_F(BatcherAuthorTest, WhatIsNotMarkedIsABreachWhereItsSideDidNotOwn) {
  log_.Hello(1, 0)
      .Transaction(100, {Plain("1")})
      .Flip(200, false)
      .Transaction(300, {Plain("2")})
      .Ours(400, {Mirrored("3")})
      .Flip(500, true)
      .Transaction(600, {Plain("4")});
  EXPECT_THAT(Batches(true),
              ElementsAre(Taken{Author::kApplication, 1, 200}, Taken{Author::kBreach, 1, 300},
                          Taken{Author::kOurs, 1, 500}, Taken{Author::kApplication, 1, 600}));
  EXPECT_TRUE(last_.source_owns);
}

TEST_F(BatcherAuthorTest, WhoOwnsIsKeptWithThePositionAndHurries) {
  log_.Hello(1, 0).Flip(100, true);
  EXPECT_THAT(Batches(false), ElementsAre(Taken{Author::kApplication, 0, 100}));
  EXPECT_FALSE(only_progress_);
  EXPECT_TRUE(last_.source_owns);
}

TEST_F(BatcherAuthorTest, ATruncateOfOursEmptiesOnlyWhatIsMirrored) {
  log_.Hello(1, 0).Ours(100, {Truncate({kTable, kOtherTable})});
  EXPECT_THAT(Batches(true), ElementsAre(Taken{Author::kOurs, 1, 100}));
  EXPECT_TRUE(last_.tables[0].truncated);
}

TEST_F(BatcherAuthorTest, AMessageToSwitchyardItselfHurries) {
  event::v1::Event message;
  message.mutable_message()->set_prefix("switchyard.marker");
  log_.Hello(1, 0).Begin(100).Append(message).Commit(100, 0);
  Batches(true);
  EXPECT_FALSE(only_progress_);
}

TEST_F(BatcherAuthorTest, AMessageOfTheApplicationDoesNot) {
  event::v1::Event message;
  message.mutable_message()->set_prefix("theirs");
  log_.Hello(1, 0).Begin(100).Append(message).Commit(100, 0);
  Batches(true);
  EXPECT_TRUE(only_progress_);
}

// Its last piece may bring nothing: it belongs to the others all the same.
TEST_F(BatcherAuthorTest, AllPiecesOfALargeTransactionHaveOneAuthor) {
  log_.Hello(1, 0).Ours(100, {Mirrored("1"), Mirrored("2"), Plain("3")});
  Batcher batcher(plan_, {}, {.batch_rows_max = 2});
  std::vector<Author> authors;
  for (const LogEvent& event : log_.events()) {
    ASSERT_THAT(batcher.Add(event.payload, event.next_offset), IsOk());
    while (batcher.full()) authors.push_back(batcher.Take().author);
  }
  const Batch last = batcher.Take();
  EXPECT_TRUE(last.continues);
  authors.push_back(last.author);
  EXPECT_EQ(authors.back(), Author::kOurs);
  EXPECT_GE(authors.size(), 2u);
}

}  // namespace
}  // namespace switchyard::changes
