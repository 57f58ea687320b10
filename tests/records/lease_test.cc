// switchyard.lease of the target.
#include "common/records/cutover/lease.h"

#include "tests/records/records_fixture.h"
#include "tests/support/await.h"

namespace switchyard::records {
namespace {

using LeaseTest = RecordsFixture;

TEST_F(LeaseTest, ASecondOperatorIsToldWhoHasItSinceWhen) {
  const Lease annas(*control_, "shop");
  const Lease bens(*session_, "shop");
  ASSERT_OK_AND_ASSIGN(const Lease::Held taken, annas.Take("anna@ops1 cutover"));
  EXPECT_TRUE(taken.taken);
  ASSERT_OK_AND_ASSIGN(Lease::Held held, bens.Take("ben@ops2 rollback"));
  EXPECT_FALSE(held.taken);
  EXPECT_EQ(held.holder, "anna@ops1 cutover");
  EXPECT_LT(absl::AbsDuration(absl::Now() - held.since), absl::Minutes(1));
  ASSERT_OK_AND_ASSIGN(held, Lease(*session_, "other").Take("ben@ops2 rollback"));
  EXPECT_TRUE(held.taken);
  ASSERT_OK(annas.Release());
  ASSERT_OK_AND_ASSIGN(held, bens.Take("ben@ops2 rollback"));
  EXPECT_TRUE(held.taken);
  ASSERT_OK(bens.Release());
}

TEST_F(LeaseTest, EndsWithTheSessionThatHasItWhateverAClockSays) {
  ASSERT_OK_AND_ASSIGN(auto annas,
                       pg::ControlSession::Connect({.dsn = postgres_->dsn("target")}, cancel_));
  ASSERT_OK_AND_ASSIGN(Lease::Held held, Lease(*annas, "shop").Take("anna@ops1 cutover"));
  EXPECT_TRUE(held.taken);
  ASSERT_OK(control_->Query("UPDATE switchyard.lease SET since = since + interval '1 hour'"));
  annas.reset();  // killed: nothing was released
  ASSERT_OK(testing::Await("the lease", absl::Seconds(10), [&]() -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const Lease::Held now, Lease(*control_, "shop").Take("ben@ops2 cutover"));
    return now.taken;
  }));
  ASSERT_OK(Lease(*control_, "shop").Release());
}

TEST_F(LeaseTest, AnAbortIsForTheDriverItWasAskedOfAndThoseBefore) {
  const Lease lease(*control_, "shop");
  EXPECT_EQ(*lease.AbortAskedBy(3), "");
  ASSERT_OK(Lease(*session_, "shop").AskAbort(3, "ben@ops2"));  // whoever holds it
  EXPECT_THAT(*lease.AbortAskedBy(3), ::testing::StartsWith("ben@ops2, 20"));
  EXPECT_EQ(*lease.AbortAskedBy(4), "");
  ASSERT_OK(lease.Take("anna@ops1 cutover"));
  EXPECT_NE(*lease.AbortAskedBy(2), "");
  ASSERT_OK(lease.Release());
}

}  // namespace
}  // namespace switchyard::records
