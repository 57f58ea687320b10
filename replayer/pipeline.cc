#include "replayer/pipeline.h"

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/pace.h"

namespace switchyard::replayer {

namespace {

// Batches waiting beside the one being applied.
constexpr int64_t kQueueBatches = 2;
constexpr absl::Duration kIdleRead = absl::Milliseconds(100);
// While whole transactions wait for the consumer to become idle.
constexpr absl::Duration kPendingRead = absl::Milliseconds(1);
// In a flood a fuller batch is worth waiting for: a batch of 20,000 rows costs the target half as
// much per row as one of 2,000. The window spans the pauses between two groups of a writer.
constexpr int64_t kFloodRecordsPerMs = 40;
constexpr absl::Duration kFloodWindow = absl::Milliseconds(50);
constexpr absl::Duration kFloodRead = absl::Milliseconds(10);
constexpr absl::Duration kFloodBatch = absl::Milliseconds(100);

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

bool Pipeline::Hand(changes::Batch batch) { return queue_.Push(std::move(batch), 1); }

void Pipeline::Read() {
  const absl::Status status = ReadUntilError();
  {
    MutexLock lock(&mu_);
    status_ = status;
  }
  queue_.Close();
}

absl::Status Pipeline::ReadUntilError() {
  changes::Batcher batcher(plan_, options_.position, options_.batcher);
  for (const event::v1::Relation& relation : options_.relations) {
    batcher.Restore(relation);
  }
  std::vector<eventlog::LogRecord> records;
  Pace pace(kFloodWindow, kFloodRecordsPerMs);
  absl::Time handed = absl::Now();
  while (!stop_) {
    RETURN_IF_ERROR(cancel_.status());
    const absl::Duration patience = pace.flood() ? kFloodRead : kPendingRead;
    RETURN_IF_ERROR(reader_->Read(batcher.has_complete() ? patience : kIdleRead, &records));
    const absl::Time now = absl::Now();
    pace.Count(static_cast<int64_t>(records.size()), now);
    for (const eventlog::LogRecord& record : records) {
      const absl::Status added = batcher.Add(record.payload, record.offset + 1);
      if (!added.ok()) {
        // What is whole before the fault still counts.
        while (batcher.has_complete() && Hand(batcher.Take())) continue;
        return added;
      }
      while (batcher.full()) {
        if (!Hand(batcher.Take())) return absl::OkStatus();
      }
    }
    if (pace.flood() && now - handed < kFloodBatch) continue;
    // While the consumer is busy, what comes meanwhile joins the batch.
    if (batcher.has_complete() && idle_ && queue_.empty()) {
      if (!Hand(batcher.Take())) break;
      handed = absl::Now();
    }
  }
  if (batcher.has_complete()) Hand(batcher.Take());
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
