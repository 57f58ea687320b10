#include "capture/decode/ack_tracker.h"

#include "gtest/gtest.h"

namespace switchyard::capture {
namespace {

TEST(AckTrackerTest, ConfirmsOnlyWhatIsDurable) {
  AckTracker tracker(Lsn(100));
  tracker.Sent(3, Lsn(110));
  tracker.Sent(7, Lsn(130));
  EXPECT_EQ(tracker.Confirm(0), Lsn(100));
  EXPECT_EQ(tracker.Confirm(2), Lsn(100));
  EXPECT_EQ(tracker.Confirm(3), Lsn(110));
  EXPECT_EQ(tracker.Confirm(6), Lsn(110));
  EXPECT_TRUE(tracker.pending());
  EXPECT_EQ(tracker.Confirm(9), Lsn(130));
  EXPECT_FALSE(tracker.pending());
}

TEST(AckTrackerTest, PositionWithoutRecordWaitsForTheRecordBeforeIt) {
  AckTracker tracker(Lsn(100));
  tracker.Sent(3, Lsn(110));
  tracker.Sent(3, Lsn(120));  // an empty transaction wrote nothing
  EXPECT_EQ(tracker.Confirm(2), Lsn(100));
  EXPECT_EQ(tracker.Confirm(3), Lsn(120));
}

TEST(AckTrackerTest, NeverGoesBack) {
  AckTracker tracker(Lsn(100));
  tracker.Sent(1, Lsn(110));
  EXPECT_EQ(tracker.Confirm(1), Lsn(110));
  EXPECT_EQ(tracker.Confirm(0), Lsn(110));
}

}  // namespace
}  // namespace switchyard::capture
