// The ports of a driver that are rows, and the server of a side.
#include "cutover/postgres/rows.h"

#include "common/records/cutover/lease.h"
#include "cutover/postgres/server.h"
#include "tests/cutover/fence_fixture.h"

namespace switchyard::cutover {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLimit = absl::Seconds(5);

class RowsTest : public FenceFixture {
 protected:
  void SetUp() override {
    FenceFixture::SetUp();
    link_ = std::make_unique<ControlLink>(pg::SessionOptions{.dsn = Dsn(database_, "sy")}, cancel_);
  }
  void TearDown() override {
    link_.reset();
    FenceFixture::TearDown();
  }

  std::unique_ptr<ControlLink> link_;
};

TEST_F(RowsTest, ADriverLeadsUntilAnotherTakesTheEpoch) {
  PgLease annas(*link_, kMigration, "anna@ops1");
  PgLease bens(*link_, kMigration, "ben@ops2");
  ASSERT_OK_AND_ASSIGN(Ownership now, annas.Read(kLimit));
  EXPECT_EQ(now.owner, Side::kOld);
  EXPECT_FALSE(now.at_work);
  ASSERT_OK(annas.Take(now.epoch, kLimit));
  EXPECT_TRUE(absl::IsAborted(bens.Take(now.epoch, kLimit)));
  ASSERT_OK_AND_ASSIGN(now, bens.Read(kLimit));
  EXPECT_EQ(now.driver, "anna@ops1");
  EXPECT_TRUE(now.at_work);
  EXPECT_LT(now.silence, absl::Minutes(1));
  ASSERT_OK(super_->Execute(
      "UPDATE switchyard.ownership SET driver_since = driver_since - interval '1 hour'"));
  ASSERT_OK_AND_ASSIGN(now, bens.Read(kLimit));
  EXPECT_GT(now.silence, absl::Minutes(59));
  PgJournal journal(*link_, kMigration);
  ASSERT_OK(journal.Write({.epoch = now.epoch, .step = "gates"}, kLimit));
  ASSERT_OK_AND_ASSIGN(now, bens.Read(kLimit));
  EXPECT_LT(now.silence, absl::Minutes(1));  // a sign of life
  EXPECT_TRUE(absl::IsAborted(annas.Rest(now.epoch - 1, kLimit)));
  ASSERT_OK(annas.Rest(now.epoch, kLimit));
  EXPECT_FALSE(bens.Read(kLimit)->at_work);
}

TEST_F(RowsTest, OldIsToldOfDecisionsForwardOnly) {
  PgOldRecord old_record(*link_, kMigration);
  EXPECT_FALSE(old_record.Read(kLimit)->fenced);
  const int64_t epoch = CloseOld();
  EXPECT_TRUE(old_record.Read(kLimit)->fenced);
  EXPECT_EQ(old_record.Read(kLimit)->epoch, epoch);
  EXPECT_EQ(old_record.Read(kLimit)->new_history, history_);
  PgFence fence(Options(Side::kNew), cancel_);
  ASSERT_OK(fence.Open(DecisionOf(epoch), kLimit));
  PgLease lease(*link_, kMigration, "anna@ops1");
  ASSERT_OK_AND_ASSIGN(Ownership decision, lease.Read(kLimit));
  EXPECT_EQ(decision.owner, Side::kNew);
  EXPECT_EQ(decision.handover.closed_lsn, Lsn(0x10));
  EXPECT_GT(decision.handover.opened_lsn, Lsn(0x10));
  ASSERT_OK(old_record.Tell(decision, kLimit));
  EXPECT_EQ(old_record.Read(kLimit)->told_owner, Side::kNew);
  EXPECT_EQ(old_record.Read(kLimit)->told_owner_epoch, epoch);
  decision.epoch -= 1;
  EXPECT_TRUE(absl::IsAborted(old_record.Tell(decision, kLimit)));
}

TEST_F(RowsTest, TheJournalIsReadBackInOrderAndAnAbortIsFound) {
  PgJournal journal(*link_, kMigration);
  EXPECT_THAT(*journal.ReadLast(kLimit), IsEmpty());
  for (const char* step : {"gates", "fence"}) {
    ASSERT_OK(journal.Write({.epoch = 4, .step = step, .figures = "tables=3"}, kLimit));
  }
  ASSERT_OK_AND_ASSIGN(const auto entries, journal.ReadLast(kLimit));
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[1].step, "fence");
  EXPECT_EQ(entries[1].figures, "tables=3");
  EXPECT_EQ(Ask("SELECT count(*) FROM switchyard.journal WHERE ended_at IS NULL"), "1");
  PgAbortFlag flag(*link_, kMigration);
  EXPECT_EQ(*flag.AskedBy(4, kLimit), "");
  ASSERT_OK(records::Lease(*sy_, kMigration).AskAbort(4, "ben@ops2"));
  EXPECT_THAT(*flag.AskedBy(4, kLimit), HasSubstr("ben@ops2"));
}

TEST_F(RowsTest, TheMarkerIsOnTheLogBeforeThePointThatIsGiven) {
  if (sy_->server_version() < 140000) GTEST_SKIP() << "a published row there";
  ASSERT_OK(super_->Query("SELECT pg_create_logical_replication_slot('marker', 'test_decoding')"));
  PgServer server(*link_, {.migration = kMigration, .stream = "shop.forward"}, cancel_);
  ASSERT_OK_AND_ASSIGN(const Lsn after, server.WriteMarker(7, kLimit));
  EXPECT_EQ(*server.ReadHistory(kLimit), history_);
  const std::string seen =
      Ask("SELECT string_agg(data, ' ') FROM pg_logical_slot_peek_changes('marker', '" +
          after.ToString() + "', NULL)");
  EXPECT_THAT(seen, HasSubstr("transactional: 1 prefix: switchyard.marker"));
  EXPECT_THAT(seen, HasSubstr("content:shop 7"));
  ASSERT_OK(super_->Query("SELECT pg_drop_replication_slot('marker')"));
}

TEST_F(RowsTest, AStandbyThatIsExpectedAndNotThereIsNamed) {
  PgServer alone(*link_, {.migration = kMigration}, cancel_);
  EXPECT_OK(alone.AwaitStandbys(kLimit));
  PgServer server(*link_, {.migration = kMigration, .expected_standbys = {"standby_b"}}, cancel_);
  const absl::Status late = server.AwaitStandbys(absl::Milliseconds(30));
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(std::string(late.message()), HasSubstr("standby_b is not there"));
}

}  // namespace
}  // namespace switchyard::cutover
