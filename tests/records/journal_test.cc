// switchyard.journal of the target.
#include "common/records/cutover/journal.h"

#include "tests/records/records_fixture.h"

namespace switchyard::records {
namespace {

using ::testing::Eq;
using ::testing::Optional;
using ::testing::SizeIs;

using JournalTest = RecordsFixture;

TEST_F(JournalTest, AStepStandsThereBeforeItIsDoneAndLaterHowItEnded) {
  const Journal journal(*control_, "shop");
  ASSERT_OK_AND_ASSIGN(const int64_t id, journal.Begin({.epoch = 3,
                                                        .step = "provisional fence",
                                                        .operator_name = "anna@ops1",
                                                        .figures = "tables=40",
                                                        .predicted = absl::Milliseconds(12)}));
  ASSERT_OK_AND_ASSIGN(auto steps, journal.OfLastEpoch());
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].step, "provisional fence");
  EXPECT_EQ(steps[0].operator_name, "anna@ops1");
  EXPECT_THAT(steps[0].predicted, Optional(absl::Milliseconds(12)));
  EXPECT_THAT(steps[0].actual, Eq(std::nullopt));
  EXPECT_EQ(steps[0].outcome, "");
  ASSERT_OK(journal.End(id, "done", "tables=41"));
  ASSERT_OK(journal.End(id, "by somebody else", ""));  // what is written stays
  ASSERT_OK_AND_ASSIGN(steps, journal.OfLastEpoch());
  EXPECT_EQ(steps[0].outcome, "done");
  EXPECT_EQ(steps[0].figures, "tables=41");
  ASSERT_TRUE(steps[0].actual.has_value());
  EXPECT_GE(*steps[0].actual, absl::ZeroDuration());
}

TEST_F(JournalTest, TheStepsOfTheLastDriverAreReadApartFromThoseBefore) {
  const Journal journal(*control_, "shop");
  for (const int64_t epoch : {1, 1, 2}) ASSERT_OK(journal.Begin({.epoch = epoch, .step = "gates"}));
  ASSERT_OK(Journal(*control_, "other").Begin({.epoch = 9, .step = "gates"}));
  EXPECT_THAT(*journal.OfLastEpoch(), SizeIs(1));
  EXPECT_THAT(*journal.Silence(2), Optional(::testing::Lt(absl::Minutes(1))));
  EXPECT_THAT(*journal.Silence(3), Eq(std::nullopt));
  EXPECT_THAT(*journal.Last(10), SizeIs(3));
  ASSERT_OK_AND_ASSIGN(const auto last, journal.Last(2));
  ASSERT_THAT(last, SizeIs(2));
  EXPECT_EQ(last[0].epoch, 1);
  EXPECT_EQ(last[1].epoch, 2);
}

}  // namespace
}  // namespace switchyard::records
