#include "common/base/finding.h"

#include "absl/strings/cord.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard {
namespace {

using ::testing::Eq;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

void ExpectFinding(const absl::Status& status, const std::string& what, const std::string& next) {
  const Finding finding = FindingOf(status, "?");
  EXPECT_EQ(finding.what, what);
  EXPECT_EQ(finding.next, next);
}

TEST(FindingTest, TheStepRidesOnTheStatusAndStandsInItsMessage) {
  const absl::Status refused = Refuse("slot s is gone", "make it anew");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Message(refused), "slot s is gone; next: make it anew");
  ExpectFinding(refused, "slot s is gone", "make it anew");
  EXPECT_EQ(Lost("the log has a gap", "copy anew").code(), absl::StatusCode::kDataLoss);
  ExpectFinding(Lost("the log has a gap", "copy anew"), "the log has a gap", "copy anew");
}

TEST(FindingTest, WhatIsToldOfAnotherStepIsNotTakenForIt) {
  ExpectFinding(Refuse("the copy failed: x; next: y", "z"), "the copy failed: x; next: y", "z");
  ExpectFinding(absl::UnavailableError("no; next: hidden"), "no; next: hidden", "?");
}

TEST(FindingTest, ContextAndAnotherCodeKeepTheStep) {
  const absl::Status inner = Refuse("slot s is gone", "make it anew");
  ExpectFinding(Annotate(inner, "stream a"), "stream a: slot s is gone", "make it anew");
  const absl::Status recoded = WithCode(absl::StatusCode::kUnavailable, inner);
  EXPECT_EQ(recoded.code(), absl::StatusCode::kUnavailable);
  ExpectFinding(recoded, "slot s is gone", "make it anew");
  EXPECT_TRUE(WithCode(absl::StatusCode::kUnavailable, absl::OkStatus()).ok());
}

TEST(FindingTest, SeveralStayWholeEachWithItsStep) {
  EXPECT_TRUE(RefuseAll("2 things are missing:", {}).ok());
  ExpectFinding(RefuseAll("not ready:", {{"a", "b"}}), "not ready: a", "b");
  ExpectFinding(RefuseAll("", {{"a", "b"}}), "a", "b");
  const absl::Status both = RefuseAll("2 things are missing:", {{"a", "b"}, {"c", "d"}});
  EXPECT_EQ(Message(both), "2 things are missing:\na; next: b\nc; next: d");
  ExpectFinding(both, Message(both), "do what stands behind each, then start again");
}

TEST(FindingTest, AStepIsAddedOnce) {
  absl::Status status = absl::DataLossError("gone");
  status.SetPayload("url", absl::Cord("kept"));
  const absl::Status once = WithNextStep(status, "begin anew");
  EXPECT_EQ(once.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(once), "gone; next: begin anew");
  EXPECT_THAT(once.GetPayload("url"), Eq(absl::Cord("kept")));
  EXPECT_EQ(WithNextStep(once, "something else"), once);
  EXPECT_TRUE(WithNextStep(absl::OkStatus(), "nothing").ok());
}

TEST(FindingTest, SurvivesTheColumnOfARecord) {
  for (const Finding& finding : {Finding{"slot s is gone", "make it anew"},
                                 Finding{"it failed: x; next: y", "z"}, Finding{"it waits", ""}}) {
    EXPECT_EQ(ParseFinding(TextOf(finding)).what, finding.what);
    EXPECT_EQ(ParseFinding(TextOf(finding)).next, finding.next);
  }
}

}  // namespace
}  // namespace switchyard
