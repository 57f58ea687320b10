#include "common/records/stream/stream_store.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/records/stream/phase.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/records/records_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PhaseTest, EachHasOneWord) {
  for (const Phase phase :
       {Phase::kNew, Phase::kCopying, Phase::kCatchingUp, Phase::kStreaming, Phase::kStopped}) {
    ASSERT_OK_AND_ASSIGN(const Phase again, ParsePhase(ToString(phase)));
    EXPECT_EQ(again, phase);
  }
  EXPECT_THAT(ParsePhase("paused"),
              testing::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("paused")));
}

class StreamStoreTest : public RecordsFixture {
 protected:
  StreamStore Store(const std::string& name = "shop.forward") { return {*session_, name}; }
  // What another client sees of it.
  StreamState State() {
    auto state = StreamStore(*control_, "shop.forward").Load();
    EXPECT_OK(state);
    return state.ok() ? *state : StreamState();
  }
  void Install() { ASSERT_OK(Store().Install({.fingerprint = "f", .catalog = "{}"}, "parts")); }
  void Copied() {
    Install();
    ASSERT_OK(Store().BeginCopy());
    ASSERT_OK(Store().PlaceAfterCopy(Lsn(0x100), absl::FromUnixMicros(1'700'000'000'123'456)));
  }
  void Derived() {
    Copied();
    ASSERT_OK(Store().EndCopy(Lsn(0x180)));
  }
};

TEST_F(StreamStoreTest, GoesFromNothingToStreaming) {
  ASSERT_OK_AND_ASSIGN(const auto nothing, Store().Find());
  EXPECT_FALSE(nothing.has_value());
  EXPECT_THAT(Store().Load(), testing::StatusIs(absl::StatusCode::kFailedPrecondition, _));
  Install();
  EXPECT_EQ(State().phase, Phase::kNew);
  ASSERT_OK(Store().BeginCopy());
  EXPECT_EQ(State().phase, Phase::kCopying);
  EXPECT_FALSE(State().position.lsn.valid());
  ASSERT_OK(Store().PlaceAfterCopy(Lsn(0x100), absl::FromUnixMicros(1'700'000'000'123'456)));
  EXPECT_EQ(State().phase, Phase::kCopying);
  EXPECT_EQ(State().position.lsn, Lsn(0xFF));
  EXPECT_EQ(State().position.covered_lsn, Lsn(0x100));
  EXPECT_EQ(State().commit_time, absl::FromUnixMicros(1'700'000'000'123'456));
  ASSERT_OK(Store().CatchUp());
  EXPECT_EQ(State().phase, Phase::kCatchingUp);
  ASSERT_OK(Store().EndCopy(Lsn(0x180)));
  EXPECT_EQ(State().phase, Phase::kStreaming);
  EXPECT_EQ(State().copy_lsn, Lsn(0x180));
}

// What may be done when: the facts about a first copy decide, whatever word stands there.
TEST_F(StreamStoreTest, TheWrongWayRoundIsRefusedAndChangesNothing) {
  struct Way {
    std::string name;
    std::function<absl::Status()> go;
    bool unplaced, placed, derived;
  };
  const std::vector<Way> ways = {
      {"BeginCopy", [&] { return Store().BeginCopy(); }, true, false, false},
      {"PlaceAfterCopy", [&] { return Store().PlaceAfterCopy(Lsn(0x200), {}); }, true, false,
       false},
      {"EndCopy", [&] { return Store().EndCopy(Lsn(0x280)); }, false, true, false},
      {"CatchUp", [&] { return Store().CatchUp(); }, false, true, true},
      {"BeginStreaming", [&] { return Store().BeginStreaming(); }, false, false, true}};
  const auto expect = [&](const char* when, bool Way::*may) {
    for (const Way& way : ways) {
      SCOPED_TRACE(absl::StrCat(way.name, " ", when));
      const StreamState before = State();
      ASSERT_OK(session_->Begin());
      const absl::Status gone = way.go();
      if (way.*may) {
        EXPECT_OK(gone);
        session_->Rollback();
        continue;
      }
      EXPECT_THAT(gone, testing::StatusIs(absl::StatusCode::kAborted, HasSubstr("shop.forward")));
      ASSERT_OK(session_->Commit());
      EXPECT_EQ(State().phase, before.phase);
      EXPECT_EQ(State().position.lsn, before.position.lsn);
      EXPECT_EQ(State().copy_lsn, before.copy_lsn);
    }
  };
  Install();
  expect("before anything is loaded", &Way::unplaced);
  ASSERT_OK(Store().PlaceAfterCopy(Lsn(0x100), {}));
  expect("before anything is derived", &Way::placed);
  ASSERT_OK(Store().EndCopy(Lsn(0x180)));
  expect("once all is derived", &Way::derived);
}

TEST_F(StreamStoreTest, AStopKeepsItsReasonUntilItGoesOn) {
  Derived();
  ASSERT_OK(Store().Stop("a table is gone"));
  EXPECT_EQ(State().phase, Phase::kStopped);
  EXPECT_EQ(State().stop_reason, "a table is gone");
  ASSERT_OK(Store().BeginStreaming());
  EXPECT_EQ(State().phase, Phase::kStreaming);
  EXPECT_EQ(State().stop_reason, "");
}

TEST_F(StreamStoreTest, AResumeGoesOnWhereTheCopyStands) {
  Copied();
  ASSERT_OK(Store().Stop("another mapping"));
  ASSERT_OK(Store().Resume());
  EXPECT_EQ(State().phase, Phase::kCopying);
  EXPECT_EQ(State().stop_reason, "");
  ASSERT_OK(Store().EndCopy(Lsn(0x180)));
  ASSERT_OK(Store().Resume());
  EXPECT_EQ(State().phase, Phase::kCatchingUp);
  ASSERT_OK(Store().Resume());
  EXPECT_EQ(State().phase, Phase::kCatchingUp);
}

TEST_F(StreamStoreTest, ARefusedStartIsNotedOfAStreamThatIsNotThere) {
  ASSERT_OK(Store().NoteRefusedStart("no right to do it"));
  EXPECT_EQ(State().phase, Phase::kStopped);
  EXPECT_EQ(State().stop_reason, "no right to do it");
  ASSERT_OK_AND_ASSIGN(const bool installed, Store().IsInstalled());
  EXPECT_FALSE(installed);
}

TEST_F(StreamStoreTest, BeginningAnewForgetsAllButTheHighestEpoch) {
  Derived();
  ASSERT_OK(Store().Move(
      State().position,
      {.to = {.epoch = 7, .lsn = Lsn(0x200), .covered_lsn = Lsn(0x200), .next_offset = 10},
       .transactions = 2,
       .rows = 3}));
  ASSERT_OK(Store().BeginAnew({.epoch = 5, .next_offset = 40}, 20));
  const StreamState state = State();
  EXPECT_EQ(state.phase, Phase::kNew);
  EXPECT_EQ(state.position.epoch, 7u);
  EXPECT_EQ(state.position.next_offset, 40);
  EXPECT_EQ(state.copy_offset, 20);
  EXPECT_FALSE(state.position.lsn.valid());
  EXPECT_FALSE(state.copy_lsn.valid());
  EXPECT_EQ(state.transactions, 0);
  EXPECT_EQ(state.commit_time, std::nullopt);
  ASSERT_OK_AND_ASSIGN(const InstalledMapping mapping, Store().Mapping());
  EXPECT_EQ(mapping.fingerprint, "");
}

TEST_F(StreamStoreTest, AStepIsTakenFromWhereItStandsOnly) {
  Derived();
  const Position at = State().position;
  StreamStore store = Store();
  Position elsewhere = at;
  elsewhere.next_offset = 99;
  const Advance step = {.to = {.epoch = 1, .lsn = Lsn(0x200), .covered_lsn = Lsn(0x200)}};
  EXPECT_THAT(store.Move(elsewhere, step), testing::StatusIs(absl::StatusCode::kAborted, _));
  EXPECT_FALSE(store.refused_by_hold());
  EXPECT_THAT(store.LockAt(elsewhere), testing::StatusIs(absl::StatusCode::kAborted, _));
  EXPECT_OK(store.LockAt(at));
  ASSERT_OK(session_->Execute("UPDATE switchyard.stream SET hold_lsn = '0/180'"));
  EXPECT_THAT(store.Move(at, step), testing::StatusIs(absl::StatusCode::kAborted, _));
  EXPECT_TRUE(store.refused_by_hold());
  EXPECT_THAT(store.LockCopyAt(5), testing::StatusIs(absl::StatusCode::kAborted, _));
  ASSERT_OK(store.MoveCopy(5));
  EXPECT_OK(store.LockCopyAt(5));
}

// Whoever holds a stream may die: nothing else ends its hold.
TEST_F(StreamStoreTest, AHoldEndsWithItsLease) {
  Derived();
  const Position at = State().position;
  StreamStore store = Store();
  const Advance step = {.to = {.epoch = 1, .lsn = Lsn(0x200), .covered_lsn = Lsn(0x200)}};
  ASSERT_OK(store.Hold(Lsn(0x180), absl::Hours(1)));
  EXPECT_THAT(store.Hold(Lsn(0x190), absl::Hours(1)),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, _));
  ASSERT_OK(store.MoveHold(Lsn(0x180), Lsn(0x190), absl::Hours(1)));
  EXPECT_THAT(store.MoveHold(Lsn(0x180), Lsn(0x190), absl::Hours(1)),
              testing::StatusIs(absl::StatusCode::kAborted, _));
  ASSERT_OK(store.ReleaseHold(Lsn(0x180)));  // not that one
  EXPECT_THAT(store.Move(at, step), testing::StatusIs(absl::StatusCode::kAborted, _));
  ASSERT_OK_AND_ASSIGN(const auto held, store.AnswerHold(Lsn(0x200)));
  EXPECT_EQ(held, Lsn(0x190));
  ASSERT_OK_AND_ASSIGN(const bool stands, store.StandsAt(Lsn(0x190)));
  EXPECT_TRUE(stands);
  ASSERT_OK(session_->Execute("UPDATE switchyard.stream SET hold_until = now()"));
  EXPECT_EQ(State().hold_lsn, std::nullopt);
  ASSERT_OK_AND_ASSIGN(const auto ended, store.AnswerHold(Lsn(0x200)));
  EXPECT_EQ(ended, std::nullopt);
  EXPECT_THAT(store.MoveHold(Lsn(0x190), Lsn(0x1a0), absl::Hours(1)),
              testing::StatusIs(absl::StatusCode::kAborted, _));
  EXPECT_OK(store.Move(at, step));
  ASSERT_OK_AND_ASSIGN(const bool passed, store.StandsAt(Lsn(0x190)));
  EXPECT_FALSE(passed);
  ASSERT_OK(store.Hold(Lsn(0x300), absl::Hours(1)));
  ASSERT_OK(store.ReleaseHold(Lsn(0x300)));
  EXPECT_EQ(State().hold_lsn, std::nullopt);
}

TEST_F(StreamStoreTest, WhatIsInstalledIsNamed) {
  Install();
  ASSERT_OK_AND_ASSIGN(const auto others, Store("bar.forward").Others());
  EXPECT_THAT(others, ElementsAre("shop.forward"));
  ASSERT_OK_AND_ASSIGN(const auto first, Store().CatalogUnless(""));
  EXPECT_EQ(first.json, "{}");
  ASSERT_OK_AND_ASSIGN(const auto again, Store().CatalogUnless(first.digest));
  EXPECT_EQ(again.digest, first.digest);
  EXPECT_EQ(again.json, std::nullopt);
  ASSERT_OK(Store().SetDoing("fills a table"));
  ASSERT_OK_AND_ASSIGN(const std::string doing, Store().Doing());
  EXPECT_EQ(doing, "fills a table");
}

TEST_F(StreamStoreTest, ADatabaseThatWasNeverSetUpHasNone) {
  ASSERT_OK_AND_ASSIGN(const auto bare,
                       pg::Session::Connect({.dsn = postgres_->dsn("postgres")}, cancel_));
  ASSERT_OK_AND_ASSIGN(const bool there, HasStreams(*bare));
  EXPECT_FALSE(there);
  ASSERT_OK_AND_ASSIGN(const bool may, MayReadStreams(*bare));
  EXPECT_FALSE(may);
  ASSERT_OK_AND_ASSIGN(const bool own, HasOwnTables(*bare, "switchyard_old"));
  EXPECT_FALSE(own);
  ASSERT_OK(session_->Execute("CREATE SCHEMA IF NOT EXISTS switchyard_old"));
  ASSERT_OK_AND_ASSIGN(const bool set_up, HasOwnTables(*session_, "switchyard_old"));
  EXPECT_TRUE(set_up);
}

}  // namespace
}  // namespace switchyard::records
