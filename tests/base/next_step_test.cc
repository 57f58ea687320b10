#include "common/base/next_step.h"

#include "absl/strings/cord.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard {
namespace {

using ::testing::Eq;

TEST(NextStepTest, IsTakenApartFromWhatHappened) {
  const NextStep step = SplitNextStep("a: slot s is gone; next: make it anew", "?");
  EXPECT_EQ(step.what, "a: slot s is gone");
  EXPECT_EQ(step.next, "make it anew");
}

TEST(NextStepTest, IsTheGivenOneWhereTheTextHasNone) {
  EXPECT_EQ(SplitNextStep("slot s is gone", "start again").what, "slot s is gone");
  EXPECT_EQ(SplitNextStep("slot s is gone", "start again").next, "start again");
}

TEST(NextStepTest, AListOfProblemsStaysWhole) {
  const std::string list = "2 things are missing:\na; next: b\nc; next: d";
  EXPECT_EQ(SplitNextStep(list, "start again").what, list);
  EXPECT_EQ(SplitNextStep(list, "start again").next,
            "do what stands behind each; then start again");
}

TEST(NextStepTest, IsAddedOnce) {
  absl::Status status = absl::DataLossError("gone");
  status.SetPayload("url", absl::Cord("kept"));
  const absl::Status once = WithNextStep(status, "begin anew");
  EXPECT_EQ(once.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(once.message()), "gone; next: begin anew");
  EXPECT_THAT(once.GetPayload("url"), Eq(absl::Cord("kept")));
  EXPECT_EQ(WithNextStep(once, "something else"), once);
  EXPECT_TRUE(WithNextStep(absl::OkStatus(), "nothing").ok());
}

}  // namespace
}  // namespace switchyard
