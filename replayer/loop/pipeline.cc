#include "replayer/loop/pipeline.h"

#include <utility>

#include "replayer/loop/batch_reader.h"

namespace switchyard::replayer {

namespace {

// Batches waiting beside the one being applied.
constexpr int64_t kQueueBatches = 2;

}  // namespace

Pipeline::Pipeline(Reading reading, const mapping::Plan& plan,
                   std::unique_ptr<eventlog::LogReader> reader, const Cancel& cancel)
    : reading_(std::move(reading)),
      plan_(plan),
      reader_(std::move(reader)),
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
  std::optional<changes::Batch> batch = queue_.PopFor(timeout);
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
}

absl::Status Pipeline::ReadUntilError() {
  BatchReader batches(reading_, plan_, *reader_, Clock::System());
  const auto hand = [this](changes::Batch batch) { return queue_.Push(std::move(batch), 1); };
  const auto idle = [this] { return idle_ && queue_.empty(); };
  while (!stop_) {
    RETURN_IF_ERROR(cancel_.status());
    ASSIGN_OR_RETURN(const bool goes_on, batches.Step(hand, idle));
    if (!goes_on) break;
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
