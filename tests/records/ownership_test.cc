// switchyard.ownership of the target and switchyard.old_side of the source.
#include "common/records/cutover/ownership.h"

#include "common/records/mark.h"
#include "deploy/sql/source.sql.h"
#include "tests/records/records_fixture.h"

namespace switchyard::records {
namespace {

using ::testing::Eq;
using ::testing::Ne;
using ::testing::Optional;

constexpr char kMigration[] = "shop";
const ServerHistory kHere = {"9", 4};

// One database plays both sides.
class OwnershipTest : public RecordsFixture {
 protected:
  static void SetUpTestSuite() {
    RecordsFixture::SetUpTestSuite();
    ASSERT_OK(postgres_->Execute("target", std::string(kSourceSql)));
  }
  void SetUp() override {
    RecordsFixture::SetUp();
    ASSERT_OK(session_->Execute("TRUNCATE switchyard.old_side"));
  }

  NewOwnership New() { return {*control_, kMigration}; }
  OldSideRow Old() { return {*control_, kMigration}; }
  // The epoch of the driver that leads by then.
  int64_t Lead() {
    EXPECT_OK(New().Begin(0));
    const auto now = New().Load();
    EXPECT_OK(now);
    const auto taken = New().TakeEpoch((*now)->epoch, "anna@ops1");
    EXPECT_OK(taken);
    return taken->has_value() ? (*taken)->epoch : -1;
  }
  Ownership Loaded() {
    const auto loaded = New().Load();
    EXPECT_OK(loaded);
    return loaded.ok() && loaded->has_value() ? **loaded : Ownership();
  }
  OldSide LoadedOld() {
    const auto loaded = Old().Load();
    EXPECT_OK(loaded);
    return loaded.ok() && loaded->has_value() ? **loaded : OldSide();
  }
};

TEST_F(OwnershipTest, OldOwnsUntilADriverSaysOtherwise) {
  EXPECT_THAT(*New().Load(), Eq(std::nullopt));
  EXPECT_THAT(*Old().Load(), Eq(std::nullopt));
  ASSERT_OK(New().Begin(4));
  ASSERT_OK(New().Begin(9));  // changes nothing
  EXPECT_EQ(Loaded().owner, Side::kOld);
  EXPECT_EQ(Loaded().epoch, 4);
  EXPECT_EQ((*New().LoadAndHold())->epoch, 4);
}

TEST_F(OwnershipTest, OfTwoDriversThatTakeOneEpochOneLeads) {
  ASSERT_OK(New().Begin(0));
  ASSERT_OK_AND_ASSIGN(const auto first, New().TakeEpoch(0, "anna@ops1"));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->epoch, 1);
  EXPECT_EQ(first->driver, "anna@ops1");
  EXPECT_NE(first->driver_since, absl::UnixEpoch());
  EXPECT_THAT(*New().TakeEpoch(0, "ben@ops2"), Eq(std::nullopt));
  EXPECT_EQ(Loaded().driver, "anna@ops1");
  EXPECT_TRUE(Loaded().at_work);
  EXPECT_EQ(*New().Rest(0), Compared::kRefused);
  EXPECT_TRUE(Loaded().at_work);
  EXPECT_EQ(*New().Rest(1), Compared::kDone);
  EXPECT_FALSE(Loaded().at_work);
}

TEST_F(OwnershipTest, OwnershipMovesForTheDriverThatLeadsAndKeepsThePairOfTheFlip) {
  const int64_t zombie = Lead();
  const int64_t epoch = Lead();
  ASSERT_OK_AND_ASSIGN(const ServerHistory here, HistoryOf(*control_));
  EXPECT_NE(here.system_identifier, "");
  EXPECT_EQ(here.timeline, 1);
  Flip flip;
  flip.old_lsn = Lsn(0x10);
  flip.old_server = {"7", 3};
  flip.new_server = here;
  EXPECT_EQ(*New().GiveToNew(zombie, flip), Compared::kRefused);
  EXPECT_EQ(*New().GiveToOld(epoch, flip), Compared::kRefused);  // OLD owns already
  EXPECT_EQ(Loaded().owner, Side::kOld);
  EXPECT_EQ(*New().GiveToNew(epoch, flip), Compared::kDone);
  const Ownership now = Loaded();
  EXPECT_EQ(now.owner, Side::kNew);
  EXPECT_EQ(now.owner_epoch, epoch);
  EXPECT_EQ(now.flip.old_lsn, Lsn(0x10));
  EXPECT_GT(now.flip.new_lsn, Lsn(0));
  EXPECT_EQ(now.flip.old_server, (ServerHistory{"7", 3}));
  EXPECT_EQ(now.flip.new_server, here);
  EXPECT_EQ(*New().GiveToNew(epoch, flip), Compared::kRefused);  // twice
  const int64_t back = Lead();
  EXPECT_EQ(Loaded().owner_epoch, epoch);  // a driver alone changes no owner
  EXPECT_EQ(*New().GiveToOld(back, {.old_lsn = Lsn(0x30), .new_lsn = Lsn(0x20)}), Compared::kDone);
  EXPECT_EQ(Loaded().owner, Side::kOld);
  EXPECT_EQ(Loaded().flip.new_lsn, Lsn(0x20));
}

TEST_F(OwnershipTest, OldClosesForTheDriverItStandsUnderOnly) {
  EXPECT_EQ(*Old().Close(1, kHere), Compared::kRefused);  // no driver moved it yet
  EXPECT_EQ(Old().Open(1, kHere)->compared, Compared::kDone);
  EXPECT_EQ(Old().Open(1, kHere)->compared, Compared::kDone);  // the answer to the first was lost
  EXPECT_EQ(Old().Open(2, kHere)->compared, Compared::kDone);
  EXPECT_EQ(*Old().Hold(), Compared::kDone);
  EXPECT_EQ(*Old().Close(1, kHere), Compared::kRefused);  // of a zombie
  EXPECT_EQ(*Old().Close(2, kHere), Compared::kDone);
  EXPECT_EQ(LoadedOld().state, OldSide::State::kClosed);
  EXPECT_EQ(LoadedOld().owner_epoch, 2);
  EXPECT_EQ(LoadedOld().new_server, kHere);
  EXPECT_EQ(*Old().Close(2, kHere), Compared::kRefused);
  EXPECT_EQ(*Old().Hold(), Compared::kRefused);
  EXPECT_EQ(Old().Open(2, kHere)->compared, Compared::kRefused);  // it must be a driver after that
  ASSERT_OK_AND_ASSIGN(const auto opened, Old().Open(3, kHere));
  EXPECT_EQ(opened.compared, Compared::kDone);
  EXPECT_EQ(opened.was, OldSide::State::kClosed);
  EXPECT_EQ(LoadedOld().state, OldSide::State::kOpen);
  EXPECT_EQ(LoadedOld().owner_epoch, 3);
}

// It may have lost driver epochs, and gives the same out once more.
TEST_F(OwnershipTest, TheDriverOfANewThatFailedOverComesAfterAllBefore) {
  const ServerHistory after = {"9", 5};
  EXPECT_EQ(Old().Open(7, kHere)->compared, Compared::kDone);
  EXPECT_EQ(*Old().Close(7, after), Compared::kRefused);
  EXPECT_EQ(*Old().Close(7, kHere), Compared::kDone);
  EXPECT_EQ(Old().Open(6, after)->compared, Compared::kDone);
  EXPECT_EQ(LoadedOld().new_server, after);
  EXPECT_EQ(Old().Open(9, kHere)->compared, Compared::kRefused);  // late, of the NEW before
  EXPECT_EQ(*Old().Close(6, kHere), Compared::kRefused);
  EXPECT_EQ(*Old().Close(6, after), Compared::kDone);
  EXPECT_EQ(Old().Open(8, kHere)->compared, Compared::kRefused);
  EXPECT_EQ(Old().Open(7, after)->was, OldSide::State::kClosed);
}

TEST_F(OwnershipTest, NoDriverMovesOldsRowWhileAnotherHoldsIt) {
  EXPECT_EQ(Old().Open(1, kHere)->compared, Compared::kDone);
  ASSERT_OK(session_->Execute("BEGIN"));
  EXPECT_EQ(*OldSideRow(*session_, kMigration).Hold(), Compared::kDone);
  const absl::Status waits = control_->InTransaction([&](pg::ControlTransaction& tx) {
    EXPECT_OK(tx.Execute("SET LOCAL lock_timeout = '20ms'"));
    return OldSideRow(tx, kMigration).Open(2, kHere).status();
  });
  EXPECT_EQ(pg::StatusSqlState(waits), "55P03");
  EXPECT_EQ(*OldSideRow(*session_, kMigration).Close(1, kHere), Compared::kDone);
  ASSERT_OK(session_->Execute("ROLLBACK"));  // its server ended it
  EXPECT_EQ(LoadedOld().state, OldSide::State::kOpen);
  EXPECT_EQ(Old().Open(2, kHere)->compared, Compared::kDone);
}

TEST_F(OwnershipTest, WhoeverWroteUnderTheOwnerBeforeIsStoppedAtItsMark) {
  Gate apply(*session_, "shop.forward");
  ASSERT_OK(apply.Claim({kApplies}));
  Gate other(*session_, "other.forward");
  ASSERT_OK(other.Claim({kApplies}));
  EXPECT_EQ(Old().Open(1, kHere)->compared, Compared::kDone);
  const auto passes = [&](Gate& gate) {
    return session_->InTransaction([&] { return gate.Pass(kApplies); });
  };
  EXPECT_OK(passes(apply));  // OLD was open before
  EXPECT_EQ(*Old().Close(1, kHere), Compared::kDone);
  EXPECT_TRUE(absl::IsAborted(passes(apply)));
  EXPECT_OK(passes(other));
  Gate anew(*session_, "shop.forward");
  ASSERT_OK(anew.Claim({kApplies}));
  EXPECT_THAT(anew.owner_epoch(), Optional(1));
  EXPECT_OK(passes(anew));
  const int64_t epoch = Lead();
  EXPECT_GT(epoch, 1);  // it begins above what the marks stand under
  EXPECT_EQ(*New().GiveToNew(epoch, {}), Compared::kDone);
  EXPECT_TRUE(absl::IsAborted(passes(anew)));
  EXPECT_OK(passes(other));
}

TEST_F(OwnershipTest, OldKeepsACopyOfTheNewestDecision) {
  EXPECT_EQ(Old().Open(1, kHere)->compared, Compared::kDone);
  EXPECT_THAT(LoadedOld().decision, Eq(std::nullopt));
  const int64_t epoch = Lead();
  EXPECT_EQ(*New().GiveToNew(epoch, {.old_lsn = Lsn(0x10), .old_server = {"7", 3}}),
            Compared::kDone);
  const Ownership decision = Loaded();
  EXPECT_EQ(*Old().NoteDecision(decision), Compared::kDone);
  ASSERT_THAT(LoadedOld().decision, Ne(std::nullopt));
  const Ownership copy = *LoadedOld().decision;
  EXPECT_EQ(copy.owner, Side::kNew);
  EXPECT_EQ(copy.epoch, decision.epoch);
  EXPECT_EQ(copy.driver, decision.driver);
  EXPECT_EQ(copy.changed, decision.changed);
  EXPECT_EQ(copy.flip.new_lsn, decision.flip.new_lsn);
  EXPECT_EQ(copy.flip.old_server, decision.flip.old_server);
  Ownership older = decision;
  older.epoch = 0;
  EXPECT_EQ(*Old().NoteDecision(older), Compared::kRefused);
  EXPECT_EQ(LoadedOld().decision->epoch, decision.epoch);
}

}  // namespace
}  // namespace switchyard::records
