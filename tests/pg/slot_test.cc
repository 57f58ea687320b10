#include "common/pg/replication/slot.h"

#include <string>
#include <thread>

#include "absl/strings/str_format.h"
#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SlotTest : public SessionFixture {
 protected:
  SlotOptions Options() const {
    return {.dsn = server_->dsn(), .application_name = "slot test", .slot = "made"};
  }
  void TearDown() override {
    session_->Rollback();
    ASSERT_TRUE(Await("SELECT count(*) = 0 FROM pg_replication_slots WHERE active"));
    EXPECT_OK(DropSlot(*session_, "made"));
  }
};

TEST_F(SlotTest, TheSnapshotShowsTheStateAtTheConsistentPointWhileItIsHeld) {
  ASSERT_OK(session_->Execute("CREATE TABLE snap (id int); INSERT INTO snap VALUES (1)"));
  ASSERT_OK_AND_ASSIGN(auto made, CreateLogicalSlot(Options(), cancel_));
  ASSERT_OK(session_->Execute("INSERT INTO snap VALUES (2)"));
  ASSERT_OK_AND_ASSIGN(auto reader, Open());
  ASSERT_OK(reader->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  ASSERT_OK(reader->Execute("SET TRANSACTION SNAPSHOT '" + made->snapshot() + "'"));
  ASSERT_OK_AND_ASSIGN(const Result rows, reader->Query("SELECT count(*) FROM snap"));
  EXPECT_EQ(rows.i64(0, 0), 1);
  EXPECT_EQ(Scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots"),
            made->consistent_point().ToString());
  made.reset();
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots"), "1");  // it stays
  ASSERT_OK(reader->Commit());
}

// A snapshot or slot point L contains the commits with commit LSN < L: random load does not find
// an error of one, three interleaved transactions do. (Promises 1 and 3.)
TEST_F(SlotTest, TransactionsAroundTheCreationAreInTheSnapshotOrInTheStreamNeverInBoth) {
  ASSERT_OK(
      session_->Execute("CREATE TABLE around (who text);"
                        "CREATE PUBLICATION around FOR TABLE around"));
  ASSERT_OK_AND_ASSIGN(auto before, Open());
  ASSERT_OK_AND_ASSIGN(auto across, Open());
  ASSERT_OK(before->Execute("BEGIN; INSERT INTO around VALUES ('before')"));
  std::unique_ptr<CreatedSlot> made;
  std::thread creator([&] {
    auto created = CreateLogicalSlot(Options(), cancel_);
    ASSERT_OK(created);
    made = std::move(*created);
  });
  const auto await_waiting_for = [](Session& session) {
    const std::string pid = std::to_string(session.backend_pid());
    return Await(
        "SELECT count(*) > 0 FROM pg_locks w JOIN pg_locks h USING (transactionid) "
        "WHERE NOT w.granted AND h.granted AND h.pid = " +
        pid);
  };
  // The creation waits for `before`, then for `across`, which began meanwhile, and so on.
  EXPECT_TRUE(await_waiting_for(*before));
  EXPECT_OK(across->Execute("BEGIN; INSERT INTO around VALUES ('across')"));
  EXPECT_OK(before->Commit());
  EXPECT_TRUE(await_waiting_for(*across));
  EXPECT_OK(session_->Execute("BEGIN; INSERT INTO around VALUES ('after')"));
  EXPECT_OK(across->Commit());
  creator.join();
  EXPECT_OK(session_->Commit());
  ASSERT_NE(made, nullptr);

  ASSERT_OK_AND_ASSIGN(auto reader, Open());
  ASSERT_OK(reader->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  ASSERT_OK(reader->Execute("SET TRANSACTION SNAPSHOT '" + made->snapshot() + "'"));
  ASSERT_OK_AND_ASSIGN(const Result copied,
                       reader->Query("SELECT string_agg(who, ' ' ORDER BY who) FROM around"));
  ASSERT_OK(reader->Commit());
  EXPECT_EQ(copied.text(0, 0), "across before");
  ASSERT_OK_AND_ASSIGN(
      const Result streamed,
      session_->Query("SELECT string_agg(convert_from(substring(data FROM 14), 'UTF8'), ' ')"
                      "         FILTER (WHERE get_byte(data, 0) = ascii('I')),"
                      "       min(encode(substring(data FROM 2 FOR 8), 'hex'))"
                      "         FILTER (WHERE get_byte(data, 0) = ascii('B')) "
                      "FROM pg_logical_slot_peek_binary_changes('made', NULL, NULL,"
                      " 'proto_version', '1', 'publication_names', 'around')"));
  EXPECT_EQ(streamed.text(0, 0), "after");
  EXPECT_GE(streamed.str(0, 1), absl::StrFormat("%016x", made->consistent_point().value()));
}

TEST_F(SlotTest, ATemporarySlotGoesWithItsKeeper) {
  SlotOptions options = Options();
  options.temporary = true;
  ASSERT_OK_AND_ASSIGN(auto made, CreateLogicalSlot(options, cancel_));
  EXPECT_EQ(Scalar("SELECT temporary FROM pg_replication_slots"), "t");
  EXPECT_FALSE(made->snapshot().empty());
  made.reset();
  EXPECT_TRUE(Await("SELECT count(*) = 0 FROM pg_replication_slots"));
}

TEST_F(SlotTest, ASlotThatIsThereAlreadyIsRefused) {
  ASSERT_OK(CreateLogicalSlot(Options(), cancel_));
  const absl::Status status = CreateLogicalSlot(Options(), cancel_).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("already exists")));
  EXPECT_EQ(StatusSqlState(status), "42710");
}

TEST_F(SlotTest, CreationIsGivenUpInTimeAndNamesWhatBlocksIt) {
  ASSERT_OK(session_->Execute("CREATE TABLE blocked (id int)"));
  ASSERT_OK_AND_ASSIGN(auto preparer, Open());
  ASSERT_OK(preparer->Execute(
      "BEGIN; INSERT INTO blocked VALUES (1); PREPARE TRANSACTION 'forgotten''one'"));
  ASSERT_OK(
      session_->Execute("BEGIN; INSERT INTO blocked VALUES (2); SAVEPOINT s;"
                        "INSERT INTO blocked VALUES (3)"));
  SlotOptions options = Options();
  options.timeout = absl::Milliseconds(300);
  const absl::Status status = CreateLogicalSlot(options, cancel_).status();
  EXPECT_THAT(
      status,
      StatusIs(absl::StatusCode::kUnavailable,
               AllOf(HasSubstr("prepared transaction 'forgotten''one'"),
                     HasSubstr("pid " + std::to_string(session_->backend_pid()) + " (session test"),
                     HasSubstr("not created within 300ms"))));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND "
                   "state = 'active'"),
            "0");
  ASSERT_OK(session_->Commit());
  ASSERT_OK(session_->Execute("ROLLBACK PREPARED 'forgotten''one'"));
  EXPECT_OK(CreateLogicalSlot(options, cancel_));
}

TEST_F(SlotTest, BlockersAreSeenWithoutSpecialRights) {
  ASSERT_OK(session_->Execute("CREATE ROLE humble LOGIN REPLICATION; CREATE TABLE seen (id int)"));
  ASSERT_OK(session_->Execute("BEGIN; INSERT INTO seen VALUES (1)"));
  ASSERT_OK_AND_ASSIGN(auto reader, Open());
  ASSERT_OK(reader->Execute("BEGIN; SELECT * FROM seen"));  // has written nothing: no blocker
  ASSERT_OK_AND_ASSIGN(
      auto humble,
      Session::Connect({.dsn = server_->dsn() + " user=humble", .application_name = "h"}, cancel_));
  ASSERT_OK_AND_ASSIGN(const auto blockers, FindSlotBlockers(*humble, absl::ZeroDuration()));
  ASSERT_EQ(blockers.size(), 1u);
  EXPECT_EQ(blockers[0].pid, session_->backend_pid());
  ASSERT_OK_AND_ASSIGN(const auto old, FindSlotBlockers(*reader, absl::Hours(1)));
  EXPECT_TRUE(old.empty());
}

TEST_F(SlotTest, ShutdownEndsACreationAndLeavesNoSlot) {
  ASSERT_OK(session_->Execute("CREATE TABLE waits (id int)"));
  ASSERT_OK(session_->Execute("BEGIN; INSERT INTO waits VALUES (1)"));
  std::thread stopper([&] {
    EXPECT_TRUE(Await(
        "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"));
    cancel_.Request();
  });
  EXPECT_THAT(CreateLogicalSlot(Options(), cancel_),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
  stopper.join();
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
  session_.reset();
  auto session = server_->Connect();
  ASSERT_OK(session);
  session_ = std::move(*session);
}

TEST_F(SlotTest, DroppingTellsWhoUsesIt) {
  EXPECT_OK(DropSlot(*session_, "never there"));
  ASSERT_OK_AND_ASSIGN(auto made, CreateLogicalSlot(Options(), cancel_));
  made.reset();
  EXPECT_OK(DropSlot(*session_, "made"));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
}

}  // namespace
}  // namespace switchyard::pg
