#include "common/changes/batcher.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/changes/relation_map.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/changes/batcher_events.h"
#include "tests/support/status_matchers.h"

namespace switchyard::changes {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

std::string Text(const Value& value) {
  return value.is_null() ? "NULL" : value.is_absent() ? "~" : std::string(value.text());
}

// "t: I(1 a B) K[1](2 a ~) D[3]; o: emptied"
std::string Text(const Batch& batch, const mapping::Plan& plan) {
  std::string out;
  for (const TableChanges& table : batch.tables) {
    const mapping::SourcePlan& source = plan.sources[table.source];
    absl::StrAppend(&out, out.empty() ? "" : "; ", source.name, ":");
    if (table.truncated) out += " emptied";
    for (const Change& change : table.changes) {
      absl::StrAppend(&out, " ", std::string(1, static_cast<char>(change.op)));
      if (change.old_key != nullptr) absl::StrAppend(&out, "[", Text(change.old_key[0]), "]");
      if (change.row == nullptr) continue;
      absl::StrAppend(&out, "(", Text(change.row[0]), " ", Text(change.row[1]), " ",
                      Text(change.row[2]), ")");
    }
  }
  return out;
}

class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() { log_.Hello(1, 0); }

  // Adds what was appended to the log since the last call; the first error.
  absl::Status Read() {
    if (batcher_ == nullptr) batcher_ = std::make_unique<Batcher>(plan_, Position(), options_);
    absl::Status status;
    for (; read_ < log_.events().size() && status.ok(); ++read_) {
      status = batcher_->Add(log_.events()[read_].payload, log_.events()[read_].next_offset);
    }
    return status;
  }
  std::string TakeText() { return Text(batcher_->Take(), plan_); }
  // One transaction read and taken alone.
  std::string Collapsed(const std::vector<ChangeEvent>& changes) {
    log_.Transaction(next_lsn_ += 10, changes);
    EXPECT_OK(Read());
    return TakeText();
  }

  mapping::Plan plan_ = TwoTables();
  BatcherOptions options_;
  Log log_;
  std::unique_ptr<Batcher> batcher_;
  size_t read_ = 0;
  uint64_t next_lsn_ = 100;
};

// ---- One row's changes are one change.

TEST_F(BatcherTest, AnInsertAndItsUpdatesAreOneInsert) {
  EXPECT_EQ(Collapsed({Insert("1", "a"), Update("1", "b"), Move("1", "2", "c")}), "t: I(2 c B)");
}

TEST_F(BatcherTest, UpdatesAreTheLastOfThem) {
  EXPECT_EQ(Collapsed({Update("1", "a"), Update("1", {}), Update("2", "x"), Update("1", "c")}),
            "t: U[1](1 c B) U[2](2 x B)");
}

TEST_F(BatcherTest, AnUpdateAndADeleteAreADelete) {
  EXPECT_EQ(Collapsed({Update("1", "a"), Delete("1")}), "t: D[1]");
  EXPECT_EQ(Collapsed({Move("1", "2", "a"), Delete("2")}), "t: D[1]");
}

TEST_F(BatcherTest, ARowThatCameAndWentIsNothing) {
  EXPECT_EQ(Collapsed({Insert("1", "a"), Update("1", "b"), Delete("1")}), "");
  EXPECT_EQ(Collapsed({Insert("1", "a"), Delete("1"), Insert("1", "b")}), "t: I(1 b B)");
}

TEST_F(BatcherTest, ADeleteAndAnInsertAreAnUpdateOfEveryColumn) {
  EXPECT_EQ(Collapsed({Delete("1"), Insert("1", "a", {})}), "t: U[1](1 a NULL)");
  EXPECT_EQ(Collapsed({Delete("1"), Insert("1", "a"), Delete("1")}), "t: D[1]");
  EXPECT_EQ(Collapsed({Delete("1"), Insert("1", "a"), Move("1", "2", "b")}), "t: K[1](2 b B)");
}

// ---- Keys that move.

TEST_F(BatcherTest, AMovedKeyIsAMoveOfTheRowThatHadIt) {
  EXPECT_EQ(Collapsed({Move("1", "2", "a"), Move("2", "3", "b")}), "t: K[1](3 b B)");
  EXPECT_EQ(Collapsed({Move("1", "2", "a"), Move("2", "1", "b")}), "t: U[1](1 b B)");
}

TEST_F(BatcherTest, KeysFollowEachOtherInAChain) {
  EXPECT_EQ(Collapsed({Move("3", "4", "c"), Move("2", "3", "b"), Move("1", "2", "a")}),
            "t: K[3](4 c B) K[2](3 b B) K[1](2 a B)");
  EXPECT_EQ(Collapsed({Delete("1"), Move("2", "1", "b"), Insert("2", "n")}),
            "t: D[1] K[2](1 b B) I(2 n B)");
}

TEST_F(BatcherTest, KeysChangePlacesInACircle) {
  EXPECT_EQ(Collapsed({Move("1", "x", "a"), Move("2", "1", "b"), Move("3", "2", "c"),
                       Move("x", "3", "a")}),
            "t: K[1](3 a B) K[2](1 b B) K[3](2 c B)");
}

TEST_F(BatcherTest, APlaceThatWasLeftIsTakenByAnotherRow) {
  EXPECT_EQ(Collapsed({Move("1", "2", "a"), Insert("1", "new"), Update("1", "newer"),
                       Update("2", "older")}),
            "t: K[1](2 older B) I(1 newer B)");
  // The row that moved away is deleted: what has its place now is that row's update.
  EXPECT_EQ(Collapsed({Move("1", "2", "a"), Delete("2"), Insert("1", "new")}), "t: U[1](1 new B)");
}

TEST_F(BatcherTest, AnEmptyKeyIsNotANullKey) {
  EXPECT_EQ(Collapsed({Update("", "a"), Update({}, "b"), Update("", "c")}),
            "t: U[]( c B) U[NULL](NULL b B)");
}

// ---- Values that were not sent.

TEST_F(BatcherTest, AnUnchangedValueIsCarriedForward) {
  EXPECT_EQ(Collapsed({Insert("1", "a", "long"), Update("1", "b", kUnchanged)}), "t: I(1 b long)");
  EXPECT_EQ(Collapsed({Update("1", "a", "new"), Move("1", "2", "b", kUnchanged)}),
            "t: K[1](2 b new)");
  EXPECT_EQ(Collapsed({Update("1", "a", {}), Update("1", "b", kUnchanged)}), "t: U[1](1 b NULL)");
}

TEST_F(BatcherTest, AValueThatWasNeverSentStaysAbsent) {
  EXPECT_EQ(Collapsed({Update("1", "a", kUnchanged), Update("1", "b", kUnchanged)}),
            "t: U[1](1 b ~)");
  EXPECT_EQ(Collapsed({Update("1", "a", kUnchanged), Update("1", "b", "sent")}),
            "t: U[1](1 b sent)");
}

// The old key comes with an update whose key is stored out of line.
TEST_F(BatcherTest, AKeyThatWasNotSentIsTheOldOne) {
  EXPECT_EQ(Collapsed({Move("key 1", kUnchanged, "a"), Move("key 2", kUnchanged, "b"),
                       Move("key 1", kUnchanged, "c")}),
            "t: U[key 1](key 1 c B) U[key 2](key 2 b B)");
  log_.Transaction(500, {Update(kUnchanged, "a")});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("key")));
}

// Its column may have been stored otherwise when the plan was made: as NULL it would be lost.
TEST_F(BatcherTest, AValueThatMayNotBeAbsentIsRefused) {
  log_.Transaction(100, {Insert("1", "a")});
  log_.Transaction(200, {Update("1", kUnchanged)});
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("leaves out column v, which none did")));
  EXPECT_EQ(TakeText(), "t: I(1 a B)");
}

// ---- Columns are known by their numbers, names are for people.

// The columns of RelationOf, numbered in their order.
event::v1::Relation Numbered(uint32_t id) {
  event::v1::Relation relation = RelationOf(id);
  for (int i = 0; i < relation.columns_size(); ++i) relation.mutable_columns(i)->set_attnum(i + 1);
  return relation;
}

class NumberedBatcherTest : public BatcherTest {
 protected:
  NumberedBatcherTest() {
    const int numbers[] = {3, 1, 4};  // of id, v, big
    for (int i = 0; i < 3; ++i) plan_.sources[0].columns[i].number = numbers[i];
  }
  // Of a row of this shape, after one of another table in a transaction before.
  absl::Status ReadRowOf(const event::v1::Relation& relation) {
    log_.Transaction(100, {Insert("9", "first", "B", kOtherTable)});
    log_.Relation(relation);
    log_.Transaction(200, {Insert("1", "a", "B", relation.relation_id())});
    return Read();
  }
};

TEST_F(NumberedBatcherTest, TheSameColumnsInAnyOrderAreRead) {
  event::v1::Relation relation = Numbered(kTable);
  relation.add_columns()->set_name("more");
  relation.mutable_columns(4)->set_attnum(9);
  relation.mutable_columns(1)->set_attnum(8);  // no mapping uses it: it was made again
  EXPECT_OK(Fits(plan_.sources[0], relation));
  EXPECT_OK(Identifies(plan_.sources[0], relation));
}

TEST_F(NumberedBatcherTest, ColumnsThatSwappedNamesAreRefusedBeforeTheTransaction) {
  event::v1::Relation relation = Numbered(kTable);
  relation.mutable_columns(0)->set_name("unused");
  relation.mutable_columns(1)->set_name("v");
  EXPECT_THAT(ReadRowOf(relation),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("column v of public.t has another name, and another column has "
                                 "that one on the source since the mapping was compiled; next: ")));
  EXPECT_EQ(TakeText(), "o: I(9 first B)");
}

TEST_F(NumberedBatcherTest, AColumnMadeAgainIsRefused) {
  event::v1::Relation relation = Numbered(kTable);
  relation.mutable_columns(0)->set_attnum(5);
  EXPECT_THAT(ReadRowOf(relation), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            HasSubstr("column v of public.t was dropped and made "
                                                      "again")));
}

TEST_F(NumberedBatcherTest, AColumnOfUnknownNumberIsRefused) {
  event::v1::Relation relation = Numbered(kTable);
  relation.mutable_columns(3)->set_attnum(0);
  EXPECT_THAT(ReadRowOf(relation), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            HasSubstr("column big of public.t can't be told")));
}

TEST_F(NumberedBatcherTest, APartitionIsHeldAgainstItsRootAndItsOwnNumbers) {
  constexpr uint32_t kLeaf = 70;
  constexpr uint32_t kBorn = 71;
  plan_.sources[0].leaf_numbers[kLeaf] = {1, 2, 3};
  const auto leaf = [&](uint32_t id, std::vector<int> own, int root_of_v = 1) {
    event::v1::Relation relation = Numbered(id);  // v, unused, id, big
    relation.set_root_relation_id(kTable);
    for (int i = 0; i < 4; ++i) {
      relation.mutable_columns(i)->set_root_attnum(i == 0 ? root_of_v : i + 1);
      relation.mutable_columns(i)->set_attnum(own[i]);
    }
    return Fits(plan_.sources[0], relation);
  };
  EXPECT_OK(leaf(kLeaf, {2, 9, 1, 3}));
  EXPECT_OK(leaf(kLeaf, {0, 0, 0, 0}));  // it is gone
  EXPECT_OK(leaf(kBorn, {7, 8, 9, 10}));
  const auto made_again = StatusIs(absl::StatusCode::kFailedPrecondition,
                                   HasSubstr("column v of public.o was dropped and made again"));
  EXPECT_THAT(leaf(kLeaf, {4, 9, 1, 3}), made_again);
  EXPECT_THAT(leaf(kBorn, {7, 8, 9, 10}, 6), made_again);
}

TEST_F(NumberedBatcherTest, AnIdentityWithoutTheKeyIsRefused) {
  event::v1::Relation relation = Numbered(kTable);
  relation.mutable_columns(2)->set_in_identity(false);
  EXPECT_THAT(ReadRowOf(relation),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("the replica identity of public.t does not hold column id")));
  for (event::v1::Column& column : *relation.mutable_columns()) column.set_in_identity(true);
  EXPECT_OK(Identifies(plan_.sources[0], relation));  // FULL
}

// ---- TRUNCATE, several tables, several transactions.

TEST_F(BatcherTest, ATruncateLeavesWhatComesAfterIt) {
  EXPECT_EQ(Collapsed({Insert("1", "a"), Update("2", "b"), Truncate(), Insert("1", "new"),
                       Update("1", "newer")}),
            "t: emptied I(1 newer B)");
  EXPECT_EQ(Collapsed({Delete("1"), Truncate({kTable, kOtherTable, kUnmapped})}),
            "t: emptied; o: emptied");
}

// Promise 1: a partition that the plan does not know is its root's.
TEST_F(BatcherTest, PartitionsAreTheirRoots) {
  constexpr uint32_t kLeaf = 70;
  constexpr uint32_t kBorn = 71;
  plan_.sources[0].relation_ids = {kLeaf};  // kTable is the root
  for (const uint32_t id : {kLeaf, kBorn}) {
    event::v1::Relation leaf = RelationOf(id);
    leaf.set_root_relation_id(kTable);
    log_.Relation(leaf);
  }
  EXPECT_EQ(Collapsed({Delete("1", kLeaf), Insert("1", "moved", "B", kBorn)}),
            "t: U[1](1 moved B)");
  EXPECT_EQ(Collapsed({Truncate({kTable, kLeaf, kBorn})}), "t: emptied");
  // That those known are empty does not say that all are.
  log_.Transaction(500, {Truncate({kLeaf, kBorn})});
  EXPECT_THAT(Read(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("recopy FILE public.t")));
}

// Whoever copies the table again is to know that its rows on the log are to be left out.
TEST_F(BatcherTest, RowsOfAShapeThatTheMappingCanNotReadEndTheBatchesUnlessTheyAreInDoubt) {
  const auto renamed = [&] {
    event::v1::Relation relation = RelationOf(kTable);
    relation.mutable_columns(0)->set_name("renamed");
    return relation;
  };
  options_.batch_rows_max = 2;
  ASSERT_OK(Read());
  EXPECT_EQ(TakeText(), "");  // the Hello
  log_.Transaction(100, {Insert("1", "a")});
  log_.Begin(200).Append(Delete("1", kOtherTable)).Append(Insert("2", "b"));
  ASSERT_OK(Read());
  EXPECT_EQ(TakeText(), "t: I(1 a B)");
  ASSERT_TRUE(batcher_->full());
  const Batch chunk = batcher_->Take();
  EXPECT_TRUE(chunk.chunk);
  log_.Relation(renamed()).Append(Insert("3", "c"));
  EXPECT_THAT(Read(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("column v of public.t")));
  EXPECT_TRUE(batcher_->unreadable());
  ASSERT_TRUE(batcher_->has_complete());
  EXPECT_TRUE(batcher_->Take().aborted);
  ASSERT_TRUE(batcher_->has_complete());
  const Batch last = batcher_->Take();
  EXPECT_EQ(Text(last, plan_), "");
  EXPECT_FALSE(last.chunk);
  EXPECT_EQ(last.lsn, Lsn(100));
  ASSERT_TRUE(last.unreadable.has_value());
  EXPECT_EQ(last.unreadable->source, mapping::SourceIndex(0));
  EXPECT_THAT(last.unreadable->why, HasSubstr("resume FILE"));
  EXPECT_FALSE(batcher_->has_complete());
}

TEST_F(BatcherTest, APartitionEmptiedWhileItsTableIsCopiedAgainLeavesItsChangesToTheCopy) {
  constexpr uint32_t kLeaf = 70;
  constexpr uint32_t kOther = 71;
  plan_.sources[0].relation_ids = {kLeaf, kOther};
  options_.copied_again = {mapping::SourceIndex(0)};
  for (const uint32_t id : {kLeaf, kOther}) log_.Relation(RelationOf(id));
  log_.Transaction(100, {Insert("1", "a", "B", kLeaf), Truncate({kLeaf}),
                         Insert("2", "b", "B", kOther), Delete("1", kOtherTable)});
  log_.Transaction(200, {Truncate({kLeaf, kOther, kTable}), Insert("3", "c", "B", kLeaf)});
  ASSERT_OK(Read());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(Text(batch, plan_), "t: I(1 a B); o: D[1]");
  EXPECT_EQ(batch.in_doubt, std::vector{mapping::SourceIndex(0)});
  EXPECT_EQ(batch.lsn, Lsn(200));
  EXPECT_FALSE(batcher_->unreadable());
}

TEST_F(BatcherTest, TablesAreCollapsedApart) {
  EXPECT_EQ(Collapsed({Insert("1", "a"), Delete("1", kOtherTable), Delete("2"),
                       Insert("9", "not mapped", "B", kUnmapped)}),
            "t: I(1 a B) D[2]; o: D[1]");
}

TEST_F(BatcherTest, TransactionsReadTogetherAreOneBatch) {
  log_.Transaction(100, {Insert("1", "a")});
  log_.Transaction(200, {});
  log_.Transaction(300, {Update("1", "b"), Delete("2")});
  log_.Begin(400).Append(Delete("1"));  // still open
  ASSERT_OK(Read());
  ASSERT_TRUE(batcher_->has_complete());
  const Batch batch = batcher_->Take();
  EXPECT_EQ(Text(batch, plan_), "t: I(1 b B) D[2]");
  EXPECT_EQ(batch.transactions, 3);
  EXPECT_EQ(batch.rows, 3);
  EXPECT_EQ(batch.first_lsn, Lsn(100));
  EXPECT_EQ(batch.lsn, Lsn(300));
  EXPECT_EQ(batch.covered_lsn, Lsn(301));
  EXPECT_EQ(batch.commit_time_us, 300);
  EXPECT_EQ(batch.next_offset, log_.events()[read_ - 3].next_offset);  // the open one comes again
  EXPECT_FALSE(batcher_->has_complete());
  log_.Commit(400, 1);
  ASSERT_OK(Read());
  EXPECT_EQ(TakeText(), "t: D[1]");
}

// 1.0 and 1.00 are one key to the database, which takes a row out before it puts one in.
TEST_F(BatcherTest, RowsAreFollowedByTheTextOfTheirKey) {
  log_.Begin(100)
      .Append(Delete("1.0"))
      .Append(Insert("1.00", "b"))
      .Append(Update("1.00", "c"))
      .Append(Update("2", "d"))
      .Commit(100, 4);
  ASSERT_OK(Read());
  EXPECT_EQ(TakeText(), "t: D[1.0] I(1.00 c B) U[2](2 d B)");
}

}  // namespace
}  // namespace switchyard::changes
