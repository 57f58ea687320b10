#include "replayer/pipeline.h"

#include "absl/strings/str_format.h"

namespace switchyard::replayer {

namespace {

// Batches waiting beside the one being applied.
constexpr int64_t kQueueBatches = 2;
constexpr absl::Duration kIdleRead = absl::Milliseconds(100);
// While whole transactions wait for the consumer to become idle.
constexpr absl::Duration kPendingRead = absl::Milliseconds(1);

}  // namespace

Pipeline::Pipeline(PipelineOptions options, const mapping::Plan& plan,
                   std::unique_ptr<eventlog::LogReader> reader, const Cancel& cancel)
    : options_(std::move(options)),
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

std::optional<Batch> Pipeline::Next(absl::Duration timeout) {
  idle_ = true;
  std::optional<Batch> batch = queue_.PopFor(timeout);
  if (batch) idle_ = false;
  return batch;
}

bool Pipeline::ended() const { return queue_.closed() && queue_.empty(); }

absl::Status Pipeline::status() const {
  MutexLock lock(&mu_);
  return status_;
}

bool Pipeline::Hand(Batch batch) { return queue_.Push(std::move(batch), 1); }

void Pipeline::Read() {
  const absl::Status status = ReadUntilError();
  {
    MutexLock lock(&mu_);
    status_ = status;
  }
  queue_.Close();
}

absl::Status Pipeline::ReadUntilError() {
  Batcher batcher(plan_, options_.position, options_.batcher);
  for (const event::v1::Relation& relation : options_.relations) {
    RETURN_IF_ERROR(batcher.Restore(relation));
  }
  std::vector<eventlog::LogRecord> records;
  event::v1::Event event;
  while (!stop_ && !batcher.held()) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(reader_->Read(batcher.has_complete() ? kPendingRead : kIdleRead, &records));
    for (const eventlog::LogRecord& record : records) {
      if (!event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
        return absl::DataLossError(
            absl::StrFormat("offset %d of the change topic is no event", record.offset));
      }
      const absl::Status added = batcher.Add(event, record.offset + 1);
      if (!added.ok()) {
        // What is whole before the fault still counts.
        if (batcher.has_complete()) Hand(batcher.Take());
        return added;
      }
      while (batcher.full()) {
        if (!Hand(batcher.Take())) return absl::OkStatus();
      }
    }
    // While the consumer is busy, what comes meanwhile joins the batch.
    if (batcher.has_complete() && idle_ && queue_.empty() && !Hand(batcher.Take())) break;
  }
  if (batcher.has_complete()) Hand(batcher.Take());
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
