#include <thread>

#include "common/base/wait/bounded_queue.h"
#include "common/base/wait/cancel.h"
#include "gtest/gtest.h"

namespace switchyard {
namespace {

constexpr absl::Duration kLong = absl::Minutes(1);

TEST(BoundedQueueTest, BlocksAtItsBoundUntilRoomIsMade) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.Push(1, 1));
  ASSERT_TRUE(queue.Push(2, 1));
  std::thread pusher([&] { queue.Push(3, 1); });
  EXPECT_EQ(queue.PopFor(kLong), 1);
  EXPECT_EQ(queue.PopFor(kLong), 2);
  EXPECT_EQ(queue.PopFor(kLong), 3);
  pusher.join();
}

TEST(BoundedQueueTest, LetsOneItemHeavierThanTheBoundPassAlone) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.Push(1, 100));
  EXPECT_EQ(queue.PopFor(kLong), 1);
}

TEST(BoundedQueueTest, DrainsWhatIsLeftAfterClose) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.Push(1, 1));
  queue.Close();
  queue.Close();
  EXPECT_FALSE(queue.Push(2, 1));
  EXPECT_EQ(queue.PopFor(kLong), 1);
  EXPECT_EQ(queue.PopFor(kLong), std::nullopt);
}

TEST(CancelTest, EndsAWaitEarly) {
  Cancel cancel;
  std::thread other([&] { cancel.Request(); });
  EXPECT_FALSE(cancel.WaitFor(absl::Minutes(5)));
  other.join();
  EXPECT_TRUE(absl::IsCancelled(cancel.status()));
}

}  // namespace
}  // namespace switchyard
