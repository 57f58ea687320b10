// What the reading half hands over, and when: nothing here takes time.
#include "replayer/loop/batch_reader.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/changes/batcher_events.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using changes::Insert;
using Wanted = BatchReader::Wanted;

// A log that has been written; later reads find what was added since.
class FakeReader : public eventlog::LogReader {
 public:
  explicit FakeReader(const changes::Log& log) : log_(log) {}
  absl::Status Read(absl::Duration, std::vector<eventlog::LogRecord>* records) override {
    records->clear();
    for (; next_ < log_.events().size(); ++next_) {
      records->push_back({static_cast<int64_t>(next_), log_.events()[next_].payload});
    }
    return absl::OkStatus();
  }
  absl::Status Seek(eventlog::Offset) override { return absl::OkStatus(); }

 private:
  const changes::Log& log_;
  size_t next_ = 0;
};

class BatchReaderTest : public ::testing::Test {
 protected:
  void Open(absl::Duration progress_interval) {
    batches_ = std::make_unique<BatchReader>(Reading{.progress_interval = progress_interval}, plan_,
                                             reader_, clock_);
  }
  // The commits that were handed over, as the last of each batch.
  std::vector<uint64_t> Step(Wanted wanted) {
    std::vector<uint64_t> handed;
    const auto goes_on = batches_->Step(
        [&](const changes::Batch& batch) {
          handed.push_back(batch.lsn.value());
          return true;
        },
        [&] { return wanted; });
    EXPECT_OK(goes_on);
    return handed;
  }

  const mapping::Plan plan_ = changes::TwoTables();
  changes::Log log_;
  FakeReader reader_{log_};
  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  std::unique_ptr<BatchReader> batches_;
};

using List = std::vector<uint64_t>;

TEST_F(BatchReaderTest, ProgressAloneIsHandedOverAtItsInterval) {
  Open(absl::Seconds(10));
  log_.Hello(1, 0).Ours(100, {Insert("1", "a")});
  EXPECT_EQ(Step(Wanted::kChanges), List());
  log_.Ours(200, {Insert("2", "a")});
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Step(Wanted::kChanges), List());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Step(Wanted::kChanges), List({200}));
  EXPECT_EQ(Step(Wanted::kChanges), List());  // nothing since
}

TEST_F(BatchReaderTest, AChangeTakesTheProgressBeforeItAlongAtOnce) {
  Open(absl::Seconds(10));
  log_.Hello(1, 0).Ours(100, {Insert("1", "a")});
  EXPECT_EQ(Step(Wanted::kChanges), List());
  log_.Transaction(200, {Insert("2", "a")});
  EXPECT_EQ(Step(Wanted::kChanges), List({200}));
}

TEST_F(BatchReaderTest, WhoHoldsTheStreamIsToldOfProgressAtOnce) {
  Open(absl::Seconds(10));
  log_.Hello(1, 0).Ours(100, {Insert("1", "a")});
  EXPECT_EQ(Step(Wanted::kNothing), List());
  EXPECT_EQ(Step(Wanted::kProgress), List({100}));
}

// A file without `reverse`.
TEST_F(BatchReaderTest, WithoutAnIntervalProgressWaitsForNothing) {
  Open(absl::ZeroDuration());
  log_.Hello(1, 0);
  EXPECT_EQ(Step(Wanted::kChanges), List({0}));
}

}  // namespace
}  // namespace switchyard::replayer
