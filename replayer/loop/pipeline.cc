#include "replayer/loop/pipeline.h"

#include <utility>

#include "absl/time/clock.h"
#include "replayer/loop/batch_reader.h"

namespace switchyard::replayer {

namespace {

// Batches waiting beside the one being applied.
constexpr int64_t kQueueBatches = 2;

}  // namespace

Pipeline::Pipeline(Reading reading, const mapping::Plan& plan,
                   std::unique_ptr<eventlog::LogReader> reader, int news_fd, const Cancel& cancel)
    : reading_(std::move(reading)),
      plan_(plan),
      reader_(std::move(reader)),
      news_fd_(news_fd),
      cancel_(cancel),
      queue_(kQueueBatches),
      thread_([this] { Read(); }) {}

Pipeline::~Pipeline() {
  stop_ = true;
  queue_.Close();
  thread_.join();
}

std::optional<changes::Batch> Pipeline::Next(absl::Duration timeout) {
  idle_ = true;
  handed_.SleepUnless([this] { return !queue_.empty() || queue_.closed(); }, absl::Now() + timeout,
                      news_fd_);
  std::optional<changes::Batch> batch = queue_.PopFor(absl::ZeroDuration());
  if (batch) idle_ = false;
  return batch;
}

bool Pipeline::ended() const { return queue_.closed() && queue_.empty(); }

absl::Status Pipeline::status() const {
  MutexLock lock(&mu_);
  return status_;
}

void Pipeline::Read() {
  const absl::Status status = ReadUntilError();
  {
    MutexLock lock(&mu_);
    status_ = status;
  }
  queue_.Close();
  handed_.Notify();
}

absl::Status Pipeline::ReadUntilError() {
  BatchReader batches(reading_, plan_, *reader_, Clock::System());
  const auto hand = [this](changes::Batch batch) {
    const bool taken = queue_.Push(std::move(batch), 1);
    handed_.Notify();
    return taken;
  };
  const auto wanted = [this] {
    using Wanted = BatchReader::Wanted;
    if (!idle_ || !queue_.empty()) return Wanted::kNothing;
    return progress_wanted_ ? Wanted::kProgress : Wanted::kChanges;
  };
  while (!stop_) {
    RETURN_IF_ERROR(cancel_.status());
    ASSIGN_OR_RETURN(const bool goes_on, batches.Step(hand, wanted));
    if (!goes_on) break;
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
