// Copies a set of tables as of one snapshot, in parallel, to the copy topic.
//
//   CopyRound round(options, snapshot, &writer, records, tables);
//   RETURN_IF_ERROR(round.Start());
//   while (!round.WaitFor(absl::Seconds(1))) Save(round.Progress());
//   ... round.Progress() tells which tables are done: their CopyEnd is durable on the log.
//
// Big tables are cut into ranges of blocks, so that several workers share one. Each range is a
// transaction of its own: a table is locked (ACCESS SHARE) no longer than a range takes, and only
// the snapshot's keeper stays open. A table that somebody else has locked goes behind the others.
// A table that was rewritten or truncated after the snapshot looks empty to it, so its file is
// compared under the lock, and such a table fails.
//
// Thread safety: Progress() and WaitFor() from one thread, while the workers run.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/copy/snapshot.h"
#include "capture/publish/event_encoder.h"
#include "capture/source/source_state.h"
#include "common/base/finding.h"
#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/records/source/capture_copies.h"

namespace switchyard::capture {

// The copy topic of one epoch, shared by the workers. Thread-safe.
class CopyWriter {
 public:
  CopyWriter(std::unique_ptr<eventlog::LogWriter> writer, uint64_t epoch)
      : writer_(std::move(writer)), epoch_(epoch) {}

  // Appends `event` with format and epoch set. After an error, which is kept, nothing more.
  absl::StatusOr<uint64_t> Append(event::v1::Event* event);
  uint64_t durable_sequence() const { return writer_->durable_sequence(); }
  absl::Status Flush(absl::Duration timeout);
  absl::Status status() const;

 private:
  mutable Mutex mu_;
  const std::unique_ptr<eventlog::LogWriter> writer_;
  const uint64_t epoch_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

struct CopyRoundOptions {
  pg::ConnectionString dsn;
  std::string application_name;
  int workers = 2;
  int64_t range_bytes = int64_t{256} << 20;
  size_t chunk_bytes = size_t{256} << 10;
  // Of one row as COPY text; the record it stands in has a few bytes more.
  size_t row_bytes_max = eventlog::kPayloadBytesMax - 1024;
};

class CopyRound {
 public:
  // `records` and `tables` describe the same tables in the same order, all partitions of a table
  // that is copied whole among them. `snapshot` and `writer` must outlive the round.
  CopyRound(const CopyRoundOptions& options, const Snapshot& snapshot, CopyWriter* writer,
            const std::vector<records::CaptureCopy>& records, const std::vector<CopyTable>& tables);
  // Ends the workers: those in the middle of a range give it up.
  ~CopyRound();

  // Appends every CopyPoint and starts the workers. What the writer returns.
  absl::Status Start();

  // True once every table is done or failed; false when `timeout` passed before.
  bool WaitFor(absl::Duration timeout);

  std::vector<records::CopyProgress> Progress() const;
  // Why tables failed: relation_id and status. Leaves given up for one that failed are not told.
  struct Failure {
    uint32_t relation_id = 0;
    absl::Status status;
  };
  std::vector<Failure> Failures() const;

 private:
  struct TableState {
    CopyTable table;
    uint64_t generation = 0;
    bool recopy = false;
    int64_t rows_estimate = -1;
    int64_t bytes_estimate = 0;
    uint32_t partitions = 0;    // see CopyPoint
    int open_ranges = 1;        // not finished yet
    absl::Status status;        // the first error of a range
    bool given_up = false;      // `status` is that of another leaf
    uint64_t end_sequence = 0;  // of the CopyEnd; 0 until it is written
    Finding waits;              // see records::CopyProgress
    std::atomic<uint64_t> rows = 0;
    std::atomic<uint64_t> bytes = 0;
  };
  struct Range {
    TableState* table = nullptr;
    int64_t first_block = -1;  // -1: the whole table, not cut yet
    int64_t end_block = -1;    // -1: to the end
  };

  absl::Status WriteCopyPoint(const TableState& state);
  void Work();
  bool TakeRange(Range* range);
  void FinishRange(const Range& range, const absl::Status& status);
  void PutBack(const Range& range, const Finding& waits);
  // Why a range of this table would be read for nothing.
  absl::Status NotWanted(TableState* state);
  // Connected, and the table not given up already.
  absl::Status CopyRange(pg::Session& session, Range* range);
  // Keeps the first piece of a table of `bytes` and queues the rest.
  void Cut(int64_t bytes, Range* range);
  // Aborted: its columns are not those described any more.
  absl::Status VerifyColumns(pg::Session& session, const event::v1::Relation& relation) const;
  // The size of the table, which is locked then and the one described.
  absl::StatusOr<int64_t> LockAndVerify(pg::Session& session, const TableState& state);

  const CopyRoundOptions options_;
  const Snapshot& snapshot_;
  CopyWriter* const writer_;
  Cancel cancel_;
  std::vector<std::thread> workers_;

  mutable Mutex mu_;
  CondVar changed_;
  std::vector<std::unique_ptr<TableState>> tables_;  // the vector itself is fixed at construction
  std::deque<Range> ranges_ ABSL_GUARDED_BY(mu_);
  int open_tables_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace switchyard::capture
