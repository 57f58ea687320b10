#include "common/records/copies.h"

#include <map>
#include <string>
#include <vector>

#include "common/records/copy_lanes.h"
#include "common/records/missed_rows.h"
#include "common/records/proof/rehearsals.h"
#include "common/records/relations.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/records/records_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CopiesTest : public RecordsFixture {
 protected:
  Copies Of(const std::string& stream = "shop.forward") { return {*session_, stream}; }
  static event::v1::CopyPoint Point(uint32_t id, uint64_t generation, uint64_t lsn) {
    event::v1::CopyPoint point;
    point.set_relation_id(id);
    point.set_generation(generation);
    point.set_lsn(lsn);
    point.mutable_relation()->set_schema("public");
    point.mutable_relation()->set_name("t");
    point.set_rows_estimate(-1);
    point.set_bytes_estimate(1 << 20);
    point.set_time_us(1'700'000'000'000'001);
    return point;
  }
  Copy Only() {
    auto all = Copies(*control_, "shop.forward").All();
    EXPECT_OK(all);
    return all.ok() && all->size() == 1 ? (*all)[0] : Copy();
  }
};

TEST_F(CopiesTest, ATableIsLoadingThenLoaded) {
  ASSERT_OK(Of().Begin(Point(42, 1, 0x100)));
  EXPECT_EQ(Only().state, CopyState::kLoading);
  EXPECT_EQ(Only().table, "public.t");
  EXPECT_EQ(Only().rows_estimate, std::nullopt);
  EXPECT_EQ(Only().bytes_estimate, 1 << 20);
  ASSERT_OK(Of().AddLoaded(42, 3, 30));
  ASSERT_OK(Of().AddLoaded(42, 4, 40));
  ASSERT_OK_AND_ASSIGN(const int64_t rows, Of().End(42));
  EXPECT_EQ(rows, 7);
  EXPECT_EQ(Only().state, CopyState::kLoaded);
  EXPECT_EQ(Only().bytes, 70);
  EXPECT_TRUE(Only().finished.has_value());
  ASSERT_OK_AND_ASSIGN(const auto clock, Of().ClockAt(Lsn(0x100)));
  EXPECT_EQ(clock, absl::FromUnixMicros(1'700'000'000'000'001));
  ASSERT_OK_AND_ASSIGN(const auto unknown, Of().ClockAt(Lsn(0x101)));
  EXPECT_EQ(unknown, std::nullopt);
}

TEST_F(CopiesTest, AnotherBeginningForgetsWhatWasLoaded) {
  ASSERT_OK(Of().Begin(Point(42, 1, 0x100)));
  ASSERT_OK(Of().AddLoaded(42, 3, 30));
  ASSERT_OK(Of().End(42));
  ASSERT_OK(Of().BeginAgain(42));
  EXPECT_EQ(Only().state, CopyState::kLoading);
  EXPECT_EQ(Only().rows, 0);
  EXPECT_EQ(Only().lsn, Lsn(0x100));
  EXPECT_EQ(Only().finished, std::nullopt);
  ASSERT_OK(Of().LeaveOut(42, "public.t", Lsn(0x120)));
  EXPECT_EQ(Only().state, CopyState::kGone);
  EXPECT_EQ(Only().lsn, Lsn(0x120));
  ASSERT_OK(Of().BeginAgain(42));
  EXPECT_EQ(Only().state, CopyState::kLoading);
  ASSERT_OK(Of().LeaveOut(42, "public.t", Lsn(0x120)));
  ASSERT_OK(Of().Begin(Point(42, 2, 0x140)));
  EXPECT_EQ(Only().state, CopyState::kLoading);
  EXPECT_EQ(Only().generation, 2u);
}

// 1.7
TEST_F(CopiesTest, APartitionThatIsGoneCountsForNothingUntilItIsFound) {
  ASSERT_OK(Of().Begin(Point(42, 1, 0x100)));
  ASSERT_OK(Of().End(42));
  ASSERT_OK(Of().LeaveOut(43, "public.t_1", Lsn(0x80)));
  ASSERT_OK_AND_ASSIGN(const auto oldest, Of().OldestPoint({42, 43}));
  EXPECT_EQ(oldest, Lsn(0x100));
  ASSERT_OK_AND_ASSIGN(const bool both, Of().AreLoadedSince({42, 43}, Lsn(0x80)));
  EXPECT_FALSE(both);
  const auto expect = [](absl::StatusOr<bool> changed, bool expected) {
    ASSERT_OK(changed);
    EXPECT_EQ(*changed, expected);
  };
  expect(Of().NoteGone(43), false);
  expect(Of().NoteFound(43), true);
  expect(Of().NoteFound(43), false);
  ASSERT_OK_AND_ASSIGN(const auto found, Of().OldestPoint({42, 43}));
  EXPECT_EQ(found, Lsn(0x80));
  expect(Of().AreLoadedSince({42, 43}, Lsn(0x80)), true);
  expect(Of().AreLoadedSince({42, 43}, Lsn(0x81)), false);
  expect(Of().AreLoadedSince({}, Lsn(0x80)), false);
  expect(Of().NoteGone(43), true);
}

TEST_F(CopiesTest, PointsAreOfOneStream) {
  ASSERT_OK(Of().Begin(Point(42, 1, 0x100)));
  ASSERT_OK(Of().Begin(Point(44, 1, 0x180)));
  ASSERT_OK(Of("bar.forward").Begin(Point(42, 1, 0x10)));
  ASSERT_OK_AND_ASSIGN(const CopyPoints range, Of().Range());
  EXPECT_EQ(range.first, Lsn(0x100));
  EXPECT_EQ(range.last, Lsn(0x180));
  ASSERT_OK(Of().Forget());
  ASSERT_OK_AND_ASSIGN(const auto none, Of().Points());
  EXPECT_THAT(none, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const auto others, Of("bar.forward").Points());
  EXPECT_THAT(others, SizeIs(1));
}

TEST_F(CopiesTest, ACopyUnderWayKeepsItsLanes) {
  CopyLanes lanes(*session_, "shop.forward");
  ASSERT_OK_AND_ASSIGN(const auto begun, lanes.Begin(2, 7));
  EXPECT_THAT(begun, ElementsAre(7, 7));
  ASSERT_OK(lanes.Move(1, 9));
  ASSERT_OK_AND_ASSIGN(const auto again, lanes.Begin(5, 100));
  EXPECT_THAT(again, ElementsAre(7, 9));
  ASSERT_OK_AND_ASSIGN(const bool moved, lanes.LockAt(1, 7));
  EXPECT_FALSE(moved);
  ASSERT_OK_AND_ASSIGN(const bool there, lanes.LockAt(1, 9));
  EXPECT_TRUE(there);
  ASSERT_OK(lanes.MoveAll(20));
  ASSERT_OK_AND_ASSIGN(const auto places, lanes.Lock());
  EXPECT_THAT(places, ElementsAre(20, 20));
  ASSERT_OK(lanes.End());
  ASSERT_OK_AND_ASSIGN(const auto anew, lanes.Begin(3, 30));
  EXPECT_THAT(anew, ElementsAre(30, 30, 30));
}

TEST_F(CopiesTest, TheLastShapeOfATableIsKept) {
  Relations relations(*session_, "shop.forward");
  for (const char* name : {"a", "b"}) {
    event::v1::Relation relation;
    relation.set_name(name);
    ASSERT_OK(relations.Store(42, relation.SerializeAsString()));
  }
  ASSERT_OK_AND_ASSIGN(const auto kept, relations.All());
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_EQ(kept[0].name(), "b");
  ASSERT_OK(relations.Store(43, "\xff\xff"));
  EXPECT_EQ(relations.All().status().code(), absl::StatusCode::kDataLoss);
  ASSERT_OK(relations.Forget());
  ASSERT_OK_AND_ASSIGN(const auto none, relations.All());
  EXPECT_THAT(none, IsEmpty());
}

// 1.5
TEST_F(CopiesTest, MissedRowsAddUpUntilTheTableIsCopiedAgain) {
  const std::string stream = "shop.forward";
  const auto add = [&](const char* source, int64_t rows, uint64_t lsn) {
    return AddMissedRows(*session_, stream,
                         {.source = source,
                          .table = "public.n",
                          .rows = rows,
                          .first_lsn = Lsn(lsn),
                          .last_lsn = Lsn(lsn)});
  };
  ASSERT_OK(add("public.a", 2, 0x10));
  ASSERT_OK(add("public.a", 3, 0x20));
  ASSERT_OK(add("public.b", 1, 0x30));
  ASSERT_OK_AND_ASSIGN(const auto all, LoadMissedRows(*control_, stream));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].rows, 5);
  EXPECT_EQ(all[0].first_lsn, Lsn(0x10));
  EXPECT_EQ(all[0].last_lsn, Lsn(0x20));
  ASSERT_OK(ForgetMissedRows(*session_, stream, "public.a"));
  ASSERT_OK_AND_ASSIGN(const auto left, LoadMissedRows(*control_, stream));
  EXPECT_THAT(left, SizeIs(1));
  ASSERT_OK(ForgetAllMissedRows(*session_, stream));
  ASSERT_OK_AND_ASSIGN(const auto none, LoadMissedRows(*control_, stream));
  EXPECT_THAT(none, IsEmpty());
}

TEST_F(CopiesTest, OfEachMappingTheLastRehearsalIsKept) {
  const std::string stream = "shop.forward";
  const auto keep = [&](const char* fingerprint, const char* verdict, int64_t faults) {
    return KeepRehearsal(*session_, stream,
                         {.fingerprint = fingerprint,
                          .verdict = verdict,
                          .batches = 900,
                          .faults = faults,
                          .seed = 7});
  };
  ASSERT_OK_AND_ASSIGN(const bool may, MayKeepRehearsals(*control_));
  EXPECT_TRUE(may);
  ASSERT_OK(keep("a", "faults", 2));
  ASSERT_OK(keep("b", "clean", 0));
  ASSERT_OK(keep("a", "inconclusive", 0));
  ASSERT_OK(KeepRehearsal(*session_, "other.forward", {.fingerprint = "a", .verdict = "clean"}));
  ASSERT_OK_AND_ASSIGN(const auto all, LoadRehearsals(*control_, stream));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].fingerprint, "a");
  EXPECT_EQ(all[0].verdict, "inconclusive");
  EXPECT_EQ(all[0].faults, 0);
  EXPECT_EQ(all[1].verdict, "clean");
  EXPECT_EQ(all[1].batches, 900);
  EXPECT_GE(all[0].age, absl::ZeroDuration());
}

}  // namespace
}  // namespace switchyard::records
