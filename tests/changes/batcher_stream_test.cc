// What a batcher does with the stream itself: epochs, the chain of commits, positions, holds,
// transactions larger than a batch, and logs that are not whole.
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/changes/batcher_events.h"
#include "tests/support/status_matchers.h"

namespace switchyard::changes {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

int64_t Changes(const Batch& batch) {
  int64_t changes = 0;
  for (const TableChanges& table : batch.tables) {
    changes += static_cast<int64_t>(table.changes.size());
  }
  return changes;
}

class BatcherStreamTest : public ::testing::Test {
 protected:
  void Open(const Position& position) {
    batcher_ = std::make_unique<Batcher>(plan_, position, options_);
  }
  absl::Status Read() {
    if (batcher_ == nullptr) Open({});
    absl::Status status;
    for (; read_ < log_.events().size() && status.ok(); ++read_) {
      status = batcher_->Add(log_.events()[read_].payload, log_.events()[read_].next_offset);
    }
    return status;
  }
  // The first epoch, as progress of its own.
  void TakeHello() {
    log_.Hello(1, 0);
    ASSERT_OK(Read());
    EXPECT_EQ(batcher_->Take().epoch, 1u);
  }
  int64_t offset() const { return static_cast<int64_t>(log_.events().size()); }

  const mapping::Plan plan_ = TwoTables();
  BatcherOptions options_;
  Log log_;
  std::unique_ptr<Batcher> batcher_;
  size_t read_ = 0;
};

// ---- Shapes of tables.

// Else it could not be read again: its first rows have the shape of before.
TEST_F(BatcherStreamTest, AShapeThatATransactionMakesIsKeptWithIt) {
  event::v1::Relation wider = RelationOf(kTable);
  wider.add_columns()->set_name("added");
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Begin(200).Append(Insert("2", "narrow"));
  log_.Relation(wider);
  ASSERT_OK(Read());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.lsn, Lsn(100));

  Open({.epoch = batch.epoch, .lsn = batch.lsn, .next_offset = batch.next_offset});
  for (const uint32_t id : {kTable, kOtherTable}) batcher_->Restore(RelationOf(id));
  for (const auto& [id, text] : batch.relations) {
    event::v1::Relation relation;
    ASSERT_TRUE(relation.ParseFromString(text));
    batcher_->Restore(relation);
  }
  read_ = static_cast<size_t>(batch.next_offset);
  log_.Commit(200, 1);
  ASSERT_OK(Read());
  const Batch rest = batcher_->Take();
  EXPECT_EQ(rest.lsn, Lsn(200));
  EXPECT_EQ(rest.relations.size(), 1u);
}

// ---- Epochs.

TEST_F(BatcherStreamTest, AnEpochDropsTheTransactionThatTheOneBeforeLeftOpen) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Begin(200).Append(Insert("2", "half"));
  log_.Hello(2, 90).Transaction(100, {Insert("1", "a")});  // seen already
  log_.Transaction(200, {Insert("2", "whole")});
  ASSERT_OK(Read());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(Changes(batch), 2);
  EXPECT_EQ(batch.transactions, 2);
  EXPECT_EQ(batch.epoch, 2u);
  EXPECT_EQ(batch.lsn, Lsn(200));
  EXPECT_EQ(batch.next_offset, offset());
}

// A capture that lost its slot may still write for a moment.
TEST_F(BatcherStreamTest, EventsOfAnOlderEpochAreDropped) {
  log_.Hello(5, 0).Transaction(100, {Insert("1", "a")});
  event::v1::Event old = Insert("2", "zombie");
  old.set_epoch(4);
  log_.Append(old).Begin(200).Append(old).Append(Insert("3", "b")).Commit(200, 1);
  event::v1::Event hello;
  hello.set_epoch(3);
  hello.mutable_hello()->set_start_lsn(50);
  log_.Append(hello).Transaction(300, {Insert("4", "c")});
  ASSERT_OK(Read());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(Changes(batch), 3);
  EXPECT_EQ(batch.epoch, 5u);
}

TEST_F(BatcherStreamTest, ANewerEpochWithoutItsHelloIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  event::v1::Event begin;
  begin.set_epoch(2);
  begin.mutable_begin()->set_commit_lsn(200);
  log_.Append(begin);
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no Hello of that epoch")));
  EXPECT_EQ(Changes(batcher_->Take()), 1);  // what is whole before it still counts
}

TEST_F(BatcherStreamTest, AnEpochThatStartsBeyondWhatTheLogReachesIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Hello(2, 500);
  EXPECT_THAT(Read(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("starts at LSN 0/1F4, but the log")));
}

TEST_F(BatcherStreamTest, AnEpochMayStartAtTheEndOfTheLastCommit) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Hello(2, 101).Transaction(200, {Insert("2", "b")});
  ASSERT_OK(Read());
  EXPECT_EQ(batcher_->Take().lsn, Lsn(200));
}

TEST_F(BatcherStreamTest, APromotedSourceGoesOnWhereTheLogEndedBefore) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Hello(1000, 100, 101).Transaction(100, {Insert("1", "a")});  // seen already
  log_.Transaction(200, {Insert("2", "b")});
  ASSERT_OK(Read());
  EXPECT_EQ(batcher_->Take().lsn, Lsn(200));
}

TEST_F(BatcherStreamTest, WhatAPromotedSourceNeverHadIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Hello(1000, 90, 99).Transaction(200, {Insert("2", "b")});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss,
                               AllOf(HasSubstr("forked"), HasSubstr("2 bytes further"),
                                     HasSubstr("recopy FILE --all"))));
  EXPECT_EQ(Changes(batcher_->Take()), 1);
}

// ---- The chain of commits.

TEST_F(BatcherStreamTest, AGapInTheChainIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  log_.Begin(200).Lose();
  log_.Transaction(300, {Insert("3", "c")});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the log has a gap")));
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.lsn, Lsn(100));
}

TEST_F(BatcherStreamTest, AGapRightBehindTheHelloIsALoss) {
  log_.Hello(1, 0);
  log_.Begin(100).Lose();
  log_.Transaction(200, {Insert("2", "b")});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the log has a gap")));
}

TEST_F(BatcherStreamTest, AGapBehindTheStoredPositionIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  const size_t here = log_.events().size();
  log_.Begin(200).Lose();
  log_.Transaction(300, {Insert("3", "c")});
  Open({.epoch = 1, .lsn = Lsn(100), .covered_lsn = Lsn(101)});
  batcher_->Restore(RelationOf(kTable));
  read_ = here;
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the log has a gap")));
}

TEST_F(BatcherStreamTest, ALostRowIsALoss) {
  log_.Hello(1, 0).Begin(100).Append(Insert("1", "a")).Append(Insert("2", "b")).Lose();
  log_.Commit(100, 2);
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("has 1 rows on the log")));
  EXPECT_EQ(Changes(batcher_->Take()), 0);
}

TEST_F(BatcherStreamTest, EventsOutOfPlaceAreALoss) {
  Log row, commit, begin, copy;
  row.Hello(1, 0).Append(Insert("1", "a"));
  commit.Hello(1, 0).Begin(100).Commit(200, 0);
  begin.Hello(1, 0).Begin(100).Begin(200);
  event::v1::Event chunk;
  chunk.mutable_copy_chunk()->set_rows(1);
  copy.Hello(1, 0).Append(chunk);
  for (const Log& log : {row, commit, begin, copy}) {
    log_ = log;
    read_ = 0;
    Open({});
    EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, ::testing::_));
  }
  EXPECT_THAT(Batcher(plan_, {}, {}).Add("no event at all", 8),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("offset 7")));
}

TEST_F(BatcherStreamTest, ARowThatNoEventDescribesIsALoss) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a", "B", 4711)});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("relation 4711")));
}

TEST_F(BatcherStreamTest, ATupleThatIsNotTheTablesIsALoss) {
  event::v1::Event narrow = Insert("1", "a");
  narrow.mutable_row()->mutable_new_tuple()->mutable_kinds()->pop_back();
  event::v1::Event hollow = Insert("1", "a");
  hollow.mutable_row()->mutable_new_tuple()->mutable_values()->RemoveLast();
  event::v1::Event without = Insert("1", "a");
  without.mutable_row()->clear_new_tuple();
  event::v1::Event keyless = Delete("1");
  keyless.mutable_row()->clear_old_tuple();
  event::v1::Event what = Insert("1", "a");
  what.mutable_row()->set_op(event::v1::Row::OP_UNSPECIFIED);
  for (const event::v1::Event& event : {narrow, hollow, without, keyless, what}) {
    log_ = Log();
    log_.Hello(1, 0).Transaction(100, {event});
    read_ = 0;
    Open({});
    EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, ::testing::_))
        << event.ShortDebugString();
  }
}

TEST_F(BatcherStreamTest, AnEventOfANewerFormatAsksForAnUpgrade) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  event::v1::Event hello;
  hello.set_format(2);
  hello.set_epoch(2);
  hello.mutable_hello()->set_start_lsn(100);
  event::v1::Event row = Insert("2", "b");
  row.set_format(2);
  for (const event::v1::Event& event : {hello, row}) {
    Log log = log_;
    log.Append(event);
    Open({});
    absl::Status status;
    for (const LogEvent& e : log.events()) status = batcher_->Add(e.payload, e.next_offset);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("upgrade it")));
    EXPECT_EQ(Changes(batcher_->Take()), 1);
  }
}

TEST_F(BatcherStreamTest, ATableThatNoLongerFitsStopsAtItsFirstRow) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  event::v1::Relation changed = RelationOf(kTable);
  changed.mutable_columns(0)->set_type_oid(23);
  log_.Relation(changed).Transaction(200, {Insert("2", "b", "B", kOtherTable)});
  log_.Begin(300).Append(Insert("3", "c", "B", kOtherTable)).Append(Insert("3", "c"));
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("column v of public.t changed its type")));
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.lsn, Lsn(200));
  EXPECT_EQ(Changes(batch), 2);
}

// ---- Positions.

TEST_F(BatcherStreamTest, WhatIsAtOrBelowThePositionIsSkipped) {
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")}).Transaction(200, {Insert("2", "b")});
  log_.Transaction(300, {Insert("3", "c")});
  Open({.epoch = 1, .lsn = Lsn(200), .covered_lsn = Lsn(201)});
  ASSERT_OK(Read());  // from the start of the log
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.transactions, 1);
  EXPECT_EQ(Changes(batch), 1);
  EXPECT_EQ(batch.first_lsn, Lsn(300));
}

TEST_F(BatcherStreamTest, RowsThatTheCopyHoldsAreSkipped) {
  options_.copy_points = {{kTable, Lsn(200)}};
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a"), Insert("1", "a", "B", kOtherTable)});
  log_.Transaction(150, {Truncate({kTable, kOtherTable})});
  log_.Transaction(200, {Insert("2", "b")});  // a commit at the point is not in the copy
  ASSERT_OK(Read());
  const Batch batch = batcher_->Take();
  ASSERT_EQ(batch.tables.size(), 2u);
  EXPECT_FALSE(batch.tables[0].truncated);
  EXPECT_EQ(batch.tables[0].changes.size(), 1u);
  EXPECT_TRUE(batch.tables[1].truncated);
  EXPECT_EQ(batch.tables[1].changes.size(), 0u);
}

TEST_F(BatcherStreamTest, HeartbeatsMoveThePositionOfAnIdleSource) {
  event::v1::Event heartbeat;
  heartbeat.mutable_heartbeat()->set_lsn(5000);
  heartbeat.mutable_heartbeat()->set_time_us(77);
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  ASSERT_OK(Read());
  batcher_->Take();
  log_.Append(heartbeat);
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->has_complete());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.lsn, Lsn(100));
  EXPECT_EQ(batch.covered_lsn, Lsn(5000));
  EXPECT_EQ(batch.commit_time_us, 100);  // time does not go back
  EXPECT_EQ(batch.next_offset, offset());
  EXPECT_EQ(batch.transactions, 0);
}

TEST_F(BatcherStreamTest, ABatchEndsBeforeTheHold) {
  options_.hold_lsn = Lsn(200);
  log_.Hello(1, 0).Transaction(100, {Insert("1", "a")});
  const int64_t before = offset();
  log_.Begin(200);
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->full());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(batch.first_lsn, Lsn(100));
  EXPECT_EQ(batch.lsn, Lsn(100));
  EXPECT_EQ(batch.covered_lsn, Lsn(101));
  EXPECT_EQ(batch.next_offset, before);
  EXPECT_EQ(Changes(batch), 1);
  EXPECT_FALSE(batcher_->has_complete());
  log_.Append(Insert("2", "b")).Commit(200, 1).Transaction(300, {Insert("3", "c")});
  ASSERT_OK(Read());
  EXPECT_FALSE(batcher_->full());
  const Batch held = batcher_->Take();
  EXPECT_EQ(held.first_lsn, Lsn(200));
  EXPECT_EQ(held.lsn, Lsn(300));
}

// ---- Transactions larger than a batch.

TEST_F(BatcherStreamTest, ALargeTransactionComesInChunksBehindTheWholeOnesBeforeIt) {
  options_.batch_rows_max = 3;
  log_.Hello(1, 0).Transaction(100, {Insert("0", "before")}).Begin(200);
  log_.Append(Insert("1", "a")).Append(Insert("2", "b"));
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->full());
  const Batch before = batcher_->Take();
  EXPECT_FALSE(before.chunk);
  EXPECT_EQ(before.transactions, 1);
  EXPECT_EQ(Changes(before), 1);
  EXPECT_FALSE(batcher_->full());

  log_.Append(Update("1", "c"));
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->full());
  const Batch first = batcher_->Take();
  EXPECT_TRUE(first.chunk);
  EXPECT_FALSE(first.continues);
  EXPECT_EQ(Changes(first), 2);
  EXPECT_EQ(first.lsn, Lsn(100));  // the position stays where the transaction before left it
  EXPECT_EQ(first.next_offset, before.next_offset);

  log_.Append(Update("1", "d")).Append(Delete("2")).Append(Insert("3", "e"));
  ASSERT_OK(Read());
  const Batch second = batcher_->Take();
  EXPECT_TRUE(second.chunk && second.continues);
  EXPECT_EQ(Changes(second), 3);

  log_.Append(Delete("3")).Commit(200, 7);
  ASSERT_OK(Read());
  const Batch end = batcher_->Take();
  EXPECT_TRUE(!end.chunk && end.continues);
  EXPECT_EQ(Changes(end), 1);
  EXPECT_EQ(end.lsn, Lsn(200));
  log_.Transaction(300, {Insert("4", "f")});
  ASSERT_OK(Read());
  EXPECT_FALSE(batcher_->Take().continues);
}

TEST_F(BatcherStreamTest, ChunksAreTakenBackWhenTheirTransactionStopsShort) {
  options_.batch_rows_max = 2;
  TakeHello();
  log_.Begin(100).Append(Insert("1", "a")).Append(Insert("2", "b"));
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->Take().chunk);
  log_.Append(Insert("3", "c"));
  log_.Hello(2, 0);
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->full());
  EXPECT_TRUE(batcher_->Take().aborted);
  log_.Transaction(100, {Insert("1", "whole")});
  ASSERT_OK(Read());
  const Batch again = batcher_->Take();
  EXPECT_FALSE(again.aborted || again.chunk || again.continues);
  EXPECT_EQ(Changes(again), 1);
  EXPECT_EQ(again.rows, 1);
}

TEST_F(BatcherStreamTest, LargeValuesFillABatchToo) {
  options_.batch_bytes_max = 1000;
  TakeHello();
  log_.Begin(100).Append(Insert("1", std::string(2000, 'x')));
  ASSERT_OK(Read());
  EXPECT_TRUE(batcher_->full());
  EXPECT_EQ(Changes(batcher_->Take()), 1);
  EXPECT_FALSE(batcher_->full());
}

}  // namespace
}  // namespace switchyard::changes
