// What the loop's applier does between batches, on fakes: nothing here takes time.
#include "replayer/loop/applier.h"

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kBegan = 1'700'000'000;

class FakeTarget : public Target {
 public:
  explicit FakeTarget(FakeClock& clock) : clock_(clock) {}

  std::optional<Lsn> hold;
  std::vector<Lsn> applied;
  std::vector<Lsn> answered;  // AnswerHold's
  // What somebody does while the applier waits: at most once for each wait.
  std::deque<std::function<void()>> meanwhile;
  bool notified = false;

  absl::Status Open() override { return absl::OkStatus(); }
  void Close() override {}
  bool connected() const override { return true; }
  absl::StatusOr<records::StreamState> Load() override {
    return records::StreamState{.hold_lsn = hold};
  }
  absl::Status CatchUp() override { return absl::OkStatus(); }
  absl::Status BeginStreaming() override { return absl::OkStatus(); }
  void Stop(const absl::Status&, const std::string&) override {}
  absl::StatusOr<Reading> LoadReading(const records::StreamState&) override { return Reading{}; }
  bool LearnsFrom(const absl::Status&) override { return false; }
  absl::Status Apply(const changes::Batch& batch, Care) override {
    applied.push_back(batch.lsn);
    return absl::OkStatus();
  }
  const records::Position& position() const override { return position_; }
  bool in_transaction() const override { return false; }
  bool keeps_order() const override { return false; }
  bool refused_by_hold() const override { return false; }
  absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next) override {
    answered.push_back(next);
    return hold;
  }
  absl::StatusOr<bool> AwaitNotified(absl::Duration timeout) override {
    if (!notified && timeout > absl::ZeroDuration()) {
      if (meanwhile.empty()) {
        clock_.Advance(timeout);
      } else {
        meanwhile.front()();
        meanwhile.pop_front();
      }
    }
    return std::exchange(notified, false);
  }
  absl::StatusOr<Lsn> WalPosition() override { return Lsn(1); }
  absl::StatusOr<bool> FlushedUpTo(Lsn) override { return true; }

 private:
  FakeClock& clock_;
  const records::Position position_;
};

class FakeBatches : public Batches {
 public:
  explicit FakeBatches(FakeClock& clock) : clock_(clock) {}

  std::deque<changes::Batch> waiting;

  std::optional<changes::Batch> Next(absl::Duration timeout) override {
    if (waiting.empty()) {
      clock_.Advance(timeout);
      return std::nullopt;
    }
    changes::Batch batch = std::move(waiting.front());
    waiting.pop_front();
    return batch;
  }
  void WantProgress(bool) override {}
  bool ended() const override { return false; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  FakeClock& clock_;
};

class ApplierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Reading reading;
    reading.batcher.hold_lsn = target_.hold;
    applier_.Begin(&reading);
  }
  absl::Duration waited() const { return clock_.Now() - absl::FromUnixSeconds(kBegan); }
  static changes::Batch At(uint64_t lsn) {
    return {.lsn = Lsn(lsn), .transactions = 1, .first_lsn = Lsn(lsn)};
  }

  FakeClock clock_{absl::FromUnixSeconds(kBegan)};
  Cancel cancel_;
  FakeTarget target_{clock_};
  FakeBatches batches_{clock_};
  Drain drain_{{.stream = "test", .idle = absl::Seconds(2), .patience = absl::Seconds(30)}, clock_};
  Applier applier_{"test", target_, drain_, clock_, cancel_};
};

TEST_F(ApplierTest, TheEndOfAHoldWakesItAndWhatWaitedIsAppliedAtOnce) {
  target_.hold = Lsn(50);
  SetUp();
  batches_.waiting.push_back(At(70));
  // A hold that is moved on, and still keeps the batch back; then its end.
  target_.meanwhile.emplace_back([&] {
    target_.hold = Lsn(60);
    target_.notified = true;
  });
  target_.meanwhile.emplace_back([&] {
    EXPECT_THAT(target_.applied, ElementsAre());
    target_.hold.reset();
    target_.notified = true;
  });
  ASSERT_OK(applier_.ApplyNext(batches_));
  EXPECT_THAT(target_.applied, ElementsAre(Lsn(70)));
  EXPECT_EQ(waited(), absl::ZeroDuration());
  EXPECT_TRUE(applier_.TakeAsked());
}

// Somebody wrote to the table by hand, where no trigger told of it.
TEST_F(ApplierTest, AHoldThatEndsWithoutAWordIsFoundAllTheSame) {
  target_.hold = Lsn(50);
  SetUp();
  batches_.waiting.push_back(At(70));
  target_.meanwhile.emplace_back([&] { target_.hold.reset(); });
  ASSERT_OK(applier_.ApplyNext(batches_));
  EXPECT_THAT(target_.applied, ElementsAre(Lsn(70)));
}

TEST_F(ApplierTest, AHoldThatIsSetWhereNothingComesIsAnsweredWithoutAWait) {
  target_.hold = Lsn(50);
  target_.notified = true;
  ASSERT_OK_AND_ASSIGN(const bool idle, applier_.ApplyNext(batches_));
  EXPECT_TRUE(idle);
  EXPECT_THAT(target_.answered, ElementsAre(Lsn()));
  EXPECT_EQ(waited(), absl::ZeroDuration());
}

TEST_F(ApplierTest, WhatIsAskedIsToldOnce) {
  target_.notified = true;
  ASSERT_OK(applier_.ApplyNext(batches_));
  EXPECT_TRUE(applier_.TakeAsked());
  EXPECT_FALSE(applier_.TakeAsked());
  ASSERT_OK(applier_.ApplyNext(batches_));
  EXPECT_FALSE(applier_.TakeAsked());
}

}  // namespace
}  // namespace switchyard::replayer
