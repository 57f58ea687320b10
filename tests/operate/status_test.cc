#include "operate/report/status.h"

#include "common/base/finding.h"
#include "common/records/stream/phase.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"
#include "tests/operate/status_facts.h"

namespace switchyard::operate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(StatusTest, MeasuresLagInBytesAndSeconds) {
  const StreamStatus status = Assess(StreamingFacts(), nullptr);
  EXPECT_EQ(status.lag_bytes, 0x1220);
  EXPECT_EQ(status.lag, absl::Milliseconds(250));
}

TEST(StatusTest, HasNoLagWhenNothingIsMissing) {
  StreamFacts facts = StreamingFacts();
  facts.applied = facts.source_lsn;
  facts.applied_time = Noon() - absl::Hours(9);  // an idle database
  const StreamStatus status = Assess(facts, nullptr);
  EXPECT_EQ(status.lag_bytes, 0);
  EXPECT_EQ(status.lag, absl::ZeroDuration());
}

// Promise 1: an unknown lag is never 0.
TEST(StatusTest, LagIsUnknownWhenEitherSideIsUnknown) {
  StreamFacts no_source = StreamingFacts();
  no_source.source_lsn.reset();
  no_source.source_error = {"can't connect", ""};
  EXPECT_FALSE(Assess(no_source, nullptr).lag_bytes.has_value());
  EXPECT_FALSE(Assess(no_source, nullptr).lag.has_value());
  StreamFacts no_target = StreamingFacts();
  no_target.applied.reset();
  no_target.target_error = {"can't connect", ""};
  EXPECT_FALSE(Assess(no_target, nullptr).lag_bytes.has_value());
  EXPECT_EQ(Assess(no_target, nullptr).state, "unknown");
  EXPECT_FALSE(Assess(CopyingFacts(), nullptr).lag_bytes.has_value());
  StreamFacts no_time = StreamingFacts();
  no_time.applied_time.reset();
  EXPECT_TRUE(Assess(no_time, nullptr).lag_bytes.has_value());
  EXPECT_FALSE(Assess(no_time, nullptr).lag.has_value());
}

TEST(StatusTest, LagGrowsWhileNothingIsApplied) {
  StreamFacts facts = StreamingFacts();
  const StreamStatus before = Assess(facts, nullptr);
  facts.source_now = Noon() + absl::Minutes(5);
  const StreamStatus after = Assess(facts, nullptr);
  EXPECT_EQ(*after.lag - *before.lag, absl::Minutes(5));
}

TEST(StatusTest, RatesComeFromTwoLooks) {
  const StreamFacts before = StreamingFacts();
  EXPECT_FALSE(Assess(before, nullptr).rows_per_second.has_value());
  StreamFacts after = before;
  after.target_now = Noon() + absl::Seconds(2);
  after.rows = 62'480;
  after.transactions = 5'192;
  const StreamStatus status = Assess(after, &before);
  EXPECT_DOUBLE_EQ(status.rows_per_second.value(), 1240);
  EXPECT_DOUBLE_EQ(status.transactions_per_second.value(), 96);
  after.rows = 5;  // the stream began anew
  EXPECT_FALSE(Assess(after, &before).rows_per_second.has_value());
}

// What blocks a cutover is never a green exit code.
TEST(StatusTest, WhateverBlocksNeedsAPerson) {
  const auto needs = [](auto change) {
    StreamFacts facts = StreamingFacts();
    facts.capture_active = facts.replay_active = true;
    change(facts);
    return NeedsAPerson(Assess(facts, nullptr));
  };
  EXPECT_FALSE(needs([](StreamFacts&) {}));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.stop_reason = facts.refusal = {"gone", ""}; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.replay_phase = records::Phase::kStopped; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.suspects = {{.table = "public.users"}}; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.quarantined = 1; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) {
    facts.parity = ParityFacts{.verdict = records::Verdict::kDifferent};
  }));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.capture_active = false; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) { facts.replay_active = false; }));
  EXPECT_TRUE(needs([](StreamFacts& facts) {
    facts.copy = {
        {.table = "public.users", .recopy = true, .error = {"denied", ""}, .loaded = true}};
  }));
}

Finding OnlyReason(const StreamFacts& facts) {
  const std::vector<Finding> reasons = Assess(facts, nullptr).reasons;
  return reasons.size() == 1 ? reasons[0] : Finding{"not one reason", ""};
}

TEST(StatusTest, NamesTheStateAsAPersonNeedsIt) {
  StreamFacts facts;
  facts.stream = "shop.forward";
  EXPECT_EQ(Assess(facts, nullptr).state, "new");
  facts.capture_state = "copying";
  facts.slot = StreamingFacts().slot;
  EXPECT_EQ(Assess(facts, nullptr).state, "copying");
  facts = StreamingFacts();
  facts.hold = Lsn(5);
  EXPECT_EQ(Assess(facts, nullptr).state, "held");
  facts.refusal = {"the slot is gone", ""};
  EXPECT_EQ(Assess(facts, nullptr).state, "stopped");
  EXPECT_EQ(OnlyReason(facts).what, "capture: the slot is gone");
  facts.refusal = {};
  facts.replay_phase = records::Phase::kStopped;
  facts.stop_reason = {"column gone", ""};
  EXPECT_EQ(OnlyReason(facts).what, "column gone");
}

// A capture that does not run can't say that its slot is lost.
TEST(StatusTest, ALostSlotIsAStopWhetherCaptureRunsOrNot) {
  StreamFacts facts = StreamingFacts();
  facts.capture_state = "streaming";
  ASSERT_TRUE(facts.slot.has_value());
  EXPECT_EQ(Assess(facts, nullptr).state, "streaming");
  facts.slot->wal_status = "lost";
  EXPECT_EQ(Assess(facts, nullptr).state, "stopped");
  EXPECT_THAT(OnlyReason(facts).next, HasSubstr("switchyard recopy FILE --all"));
  facts.slot.reset();
  EXPECT_EQ(Assess(facts, nullptr).state, "stopped");
  EXPECT_THAT(OnlyReason(facts).what, HasSubstr("replication slot is gone"));
  facts.capture_state = "creating";  // not there yet
  EXPECT_EQ(Assess(facts, nullptr).state, "streaming");
  facts.capture_state = "streaming";
  facts.source_error = {"could not connect", ""};
  EXPECT_EQ(Assess(facts, nullptr).state, "streaming");
}

TEST(StatusTest, EstimatesTheTimeLeftOfACopyAndNeverClaimsItsEnd) {
  const StreamStatus status = Assess(CopyingFacts(), nullptr);
  ASSERT_EQ(status.copy.size(), 4u);
  EXPECT_EQ(status.copy[0].state, "loading");
  EXPECT_DOUBLE_EQ(status.copy[0].percent.value(), 50);
  EXPECT_DOUBLE_EQ(status.copy[0].rows_per_second.value(), 7'800);
  EXPECT_EQ(status.copy[0].left, absl::Seconds(20));
  EXPECT_EQ(status.copy[1].state, "done");
  EXPECT_EQ(status.copy[1].percent, 100);
  EXPECT_FALSE(status.copy[1].left.has_value());
  EXPECT_DOUBLE_EQ(status.copy[1].rows_per_second.value(), 23'506);  // while it did not wait
  EXPECT_FALSE(status.copy[2].rows_per_second.has_value());
  EXPECT_DOUBLE_EQ(status.copy_rows_per_second.value(), 203'012.0 / 22);
  EXPECT_FALSE(status.copy_left.has_value());  // of one table nothing is known
  EXPECT_EQ(status.copy[2].state, "copying");
  EXPECT_EQ(status.copy[3].state, "pending");
  EXPECT_FALSE(status.copy[3].percent.has_value());
  StreamFacts more_than_estimated = CopyingFacts();
  more_than_estimated.copy[0].rows_loaded = 999'999;
  EXPECT_EQ(Assess(more_than_estimated, nullptr).copy[0].percent, 99);
}

TEST(StatusTest, ARecopyIsDoneOnceItsRequestIs) {
  StreamFacts facts = StreamingFacts();
  facts.copy = {{.table = "public.parts_1",
                 .recopy = true,
                 .asked_as = "public.parts",
                 .capture_state = "done",
                 .rows_captured = 12,
                 .loaded = true,  // by the copy before
                 .rows_loaded = 7}};
  facts.open_recopies = {"public.parts"};
  StreamStatus status = Assess(facts, nullptr);
  EXPECT_EQ(status.copy[0].state, "loading");
  EXPECT_EQ(status.copy[0].rows, 12);
  facts.open_recopies = {"public.other"};
  EXPECT_EQ(Assess(facts, nullptr).copy[0].state, "done");
  facts.copy[0].capture_state = "copying";
  EXPECT_EQ(Assess(facts, nullptr).copy[0].state, "copying");
}

TEST(StatusTest, WhatIsAppliedWasCaptured) {
  StreamFacts facts = StreamingFacts();
  facts.slot->confirmed_flush = Lsn(0x5A3E0000);  // not told yet
  EXPECT_EQ(Assess(facts, nullptr).captured_lsn, facts.applied);
}

TEST(StatusTest, KeepsTheSlotsDistanceToItsLimit) {
  const StreamStatus status = Assess(StreamingFacts(), nullptr);
  EXPECT_EQ(status.slot_retained_bytes, int64_t{16} << 20);
  EXPECT_EQ(status.captured_lsn, Lsn(0x5A3F1220));
}

TEST(StatusTest, JsonIsTheMessageOfControlProto) {
  StreamFacts suspect = CopyingFacts();
  suspect.suspects = {{.table = "public.users", .reason = "rewritten", .next_step = "recopy"},
                      {.table = "public.orders",
                       .reason = "not there",
                       .lacks = true,
                       .rows = 3,
                       .first_lsn = Lsn(0x10)}};
  const StatusReport report = {
      .migration = "shop",
      .streams = {Assess(StreamingFacts(), nullptr), Assess(suspect, nullptr)}};
  const std::string json = StatusJson(report, /*compact=*/true);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
  EXPECT_THAT(json, HasSubstr("\"lag_seconds\":0.25"));
  EXPECT_THAT(json, HasSubstr("\"applied_lsn\":null"));
  control::v1::Status message;
  ASSERT_TRUE(testing::IsJsonOf(json, &message)) << json;
  EXPECT_EQ(message.streams(0).lag_bytes(), 0x1220);
  EXPECT_EQ(message.streams(0).log().records_to_apply(), 42);
  EXPECT_FALSE(message.streams(1).has_lag_bytes());
  EXPECT_EQ(message.streams(1).copy_size(), 4);
  EXPECT_FALSE(message.streams(1).suspects(0).lacks());
  EXPECT_FALSE(message.streams(1).suspects(0).has_rows());
  EXPECT_TRUE(message.streams(1).suspects(1).lacks());
  EXPECT_EQ(message.streams(1).suspects(1).rows(), 3);
  EXPECT_EQ(message.streams(1).suspects(1).first_lsn(), "0/10");
}

}  // namespace
}  // namespace switchyard::operate
