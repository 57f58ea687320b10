#include "cutover/sight.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::cutover {
namespace {

using ::testing::HasSubstr;

const History kOldServer{.system_identifier = "71", .timeline = 1};
const History kNewServer{.system_identifier = "72", .timeline = 1};
const History kPromoted{.system_identifier = "72", .timeline = 2};

Facts Before() {
  return {.ownership = {.owner = Side::kOld, .epoch = 3},
          .old_row = OldRow{.epoch = 3},
          .old_now = kOldServer,
          .new_now = kNewServer};
}

Facts Fenced() {
  Facts facts = Before();
  facts.old_row->fenced = true;
  facts.old_row->new_history = kNewServer;
  return facts;
}

Facts Flipped() {
  Facts facts = Fenced();
  facts.ownership.owner = Side::kNew;
  facts.ownership.owner_epoch = 3;
  return facts;
}

TEST(SightTest, SeesWhoOwns) {
  ASSERT_OK_AND_ASSIGN(const Judgement before, Judge(Before()));
  EXPECT_EQ(before.sight.owner, Side::kOld);
  EXPECT_EQ(before.sight.epoch, 3);
  EXPECT_FALSE(before.sight.ambiguous);
  ASSERT_OK_AND_ASSIGN(const Judgement fenced, Judge(Fenced()));
  EXPECT_FALSE(fenced.sight.ambiguous);
  EXPECT_FALSE(fenced.sight.old_closed) << "its owner never changed: it is reopened by an undo";
  ASSERT_OK_AND_ASSIGN(const Judgement flipped, Judge(Flipped()));
  EXPECT_EQ(flipped.sight.owner, Side::kNew);
  EXPECT_FALSE(flipped.sight.ambiguous);
}

TEST(SightTest, SeesARollbackThatHasNotOpenedOldYet) {
  Facts facts = Fenced();
  facts.ownership.epoch = facts.ownership.owner_epoch = 4;
  facts.ownership.new_history = kNewServer;
  facts.new_now = kPromoted;  // the decision is there: it was not lost
  ASSERT_OK_AND_ASSIGN(const Judgement judgement, Judge(facts));
  EXPECT_TRUE(judgement.sight.old_closed);
  EXPECT_FALSE(judgement.sight.ambiguous);
}

TEST(SightTest, AnotherNewThanTheOneOldWasFencedBesideMayHaveLostTheDecision) {
  Facts facts = Fenced();
  facts.new_now = kPromoted;
  ASSERT_OK_AND_ASSIGN(const Judgement judgement, Judge(facts));
  EXPECT_TRUE(judgement.sight.ambiguous);
  EXPECT_THAT(judgement.why, HasSubstr("timeline 1 as NEW, which is system 72, timeline 2 now"));
}

TEST(SightTest, AnotherNewIsNoMatterWhereOldIsOpen) {
  Facts facts = Before();
  facts.new_now = kPromoted;
  ASSERT_OK_AND_ASSIGN(const Judgement judgement, Judge(facts));
  EXPECT_FALSE(judgement.sight.ambiguous);
}

TEST(SightTest, ANewThatKnowsLessThanOldWasToldIsAmbiguous) {
  Facts facts = Fenced();
  facts.old_row->told_owner = Side::kNew;
  facts.old_row->told_owner_epoch = 3;
  ASSERT_OK_AND_ASSIGN(const Judgement judgement, Judge(facts));
  EXPECT_TRUE(judgement.sight.ambiguous);
  EXPECT_THAT(judgement.why, HasSubstr("NEW lost it"));
}

TEST(SightTest, AnOpenOldBesideANewThatOwnsIsAmbiguous) {
  Facts facts = Flipped();
  facts.old_row->fenced = false;
  ASSERT_OK_AND_ASSIGN(const Judgement judgement, Judge(facts));
  EXPECT_TRUE(judgement.sight.ambiguous);
}

TEST(SightTest, AnOldThatDoesNotAnswerIsInNobodysWayOnceNewOwns) {
  Facts facts = Flipped();
  facts.old_row.reset();
  EXPECT_OK(Judge(facts).status());
  facts.ownership.owner = Side::kOld;
  EXPECT_TRUE(absl::IsUnavailable(Judge(facts).status()));
}

TEST(SightTest, ADriverThatIsSilentIsNotAtWork) {
  Ownership row{.at_work = true, .silence = absl::Milliseconds(100)};
  EXPECT_TRUE(SightOf(row).at_work);
  EXPECT_FALSE(SightOf(row).abandoned);
  row.silence = absl::Seconds(1);
  EXPECT_FALSE(SightOf(row).at_work);
  EXPECT_TRUE(SightOf(row).abandoned);
}

}  // namespace
}  // namespace switchyard::cutover
