#include "replayer/loop/batch_reader.h"

namespace switchyard::replayer {

namespace {

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

BatchReader::BatchReader(const Reading& reading, const mapping::Plan& plan,
                         eventlog::LogReader& reader, const Clock& clock)
    : reader_(reader),
      clock_(clock),
      batcher_(plan, reading.position, reading.batcher),
      pace_(kFloodWindow, kFloodRecordsPerMs),
      progress_interval_(reading.progress_interval),
      handed_(clock.Now()) {
  for (const event::v1::Relation& relation : reading.relations) batcher_.Restore(relation);
}

absl::StatusOr<bool> BatchReader::Step(absl::FunctionRef<bool(changes::Batch)> hand,
                                       absl::FunctionRef<Wanted()> wanted) {
  const absl::Duration patience = pace_.flood() ? kFloodRead : kPendingRead;
  RETURN_IF_ERROR(reader_.Read(batcher_.has_complete() ? patience : kIdleRead, &records_));
  const absl::Time now = clock_.Now();
  pace_.Count(static_cast<int64_t>(records_.size()), now);
  for (const eventlog::LogRecord& record : records_) {
    const absl::Status added = batcher_.Add(record.payload, record.offset + 1);
    if (!added.ok()) {
      // What is whole before the fault still counts.
      while (batcher_.has_complete() && hand(batcher_.Take())) continue;
      return added;
    }
    while (batcher_.full()) {
      if (!hand(batcher_.Take())) return false;
    }
  }
  if (pace_.flood() && now - handed_ < kFloodBatch) return true;
  if (!batcher_.has_complete() || MayWait(wanted(), now)) return true;
  if (!hand(batcher_.Take())) return false;
  handed_ = clock_.Now();
  return true;
}

// While the consumer is busy, what comes meanwhile joins the batch. So does progress, which would
// bring the other stream progress of its own, and so on for ever.
bool BatchReader::MayWait(Wanted wanted, absl::Time now) const {
  if (wanted == Wanted::kNothing) return true;
  return wanted == Wanted::kChanges && batcher_.only_progress() &&
         now - handed_ < progress_interval_;
}

}  // namespace switchyard::replayer
