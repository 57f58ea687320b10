#include "common/records/requests.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/records/records_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class RequestsTest : public RecordsFixture {
 protected:
  void SetUp() override {
    RecordsFixture::SetUp();
    ASSERT_OK(session_->Execute(
        "INSERT INTO switchyard.stream (name) VALUES ('shop.forward'), ('bar.forward')"));
  }
};

TEST_F(RequestsTest, WhatOneClientAsksTheOtherAnswers) {
  Requests person(*control_, "shop.forward");
  Requests role(*session_, "shop.forward");
  ASSERT_OK_AND_ASSIGN(const int64_t id, person.Submit(RequestKind::kQuarantineRetry, "7"));
  ASSERT_OK_AND_ASSIGN(const auto open, role.Open(RequestKind::kQuarantineRetry));
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_EQ(open[0].argument, "7");
  ASSERT_OK(role.Answer(open[0].id, RequestState::kDone, "1 applied, 0 left"));
  ASSERT_OK_AND_ASSIGN(const auto answered, person.Find(id));
  ASSERT_TRUE(answered.has_value());
  EXPECT_EQ(answered->state, RequestState::kDone);
  EXPECT_EQ(answered->result, "1 applied, 0 left");
}

TEST_F(RequestsTest, OneStreamsAreNoOthers) {
  ASSERT_OK(Requests(*session_, "bar.forward").Submit(RequestKind::kResume, "").status());
  ASSERT_OK(Requests(*session_, "shop.forward").BeginAnew("all of it"));
  ASSERT_OK_AND_ASSIGN(const auto open,
                       Requests(*session_, "bar.forward").Open(RequestKind::kResume));
  EXPECT_THAT(open, SizeIs(1));
}

TEST_F(RequestsTest, ATableInDoubtIsAskedForOnceAndSaysWhy) {
  Requests requests(*session_, "shop.forward");
  ASSERT_OK(requests.Doubt("public.t", "one reason"));
  ASSERT_OK(requests.Doubt("public.t", "another"));
  ASSERT_OK_AND_ASSIGN(const auto doubts, requests.Open(RequestKind::kInDoubt));
  ASSERT_THAT(doubts, SizeIs(1));
  EXPECT_EQ(doubts[0].result, "another");
  ASSERT_OK(requests.AskForDoubted());
  ASSERT_OK(requests.AskForDoubted());
  ASSERT_OK_AND_ASSIGN(const auto recopies, requests.Open(RequestKind::kRecopy));
  EXPECT_THAT(recopies, SizeIs(1));
  ASSERT_OK(requests.AnswerRecopy({"t", "public.t"}, RequestState::kDone, "in", Lsn(0x20)));
  ASSERT_OK_AND_ASSIGN(const bool ended, requests.EndDoubt("public.t"));
  EXPECT_TRUE(ended);
  ASSERT_OK_AND_ASSIGN(const bool recopied, requests.WasRecopied("public.t", Lsn(0x20)));
  EXPECT_TRUE(recopied);
  ASSERT_OK_AND_ASSIGN(const auto left, requests.Open(RequestKind::kInDoubt));
  EXPECT_THAT(left, IsEmpty());
}

}  // namespace
}  // namespace switchyard::records
