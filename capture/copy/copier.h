// Sees to it that every table that needs a copy gets one: the initial copy, what a crash left
// unfinished, and tables to be copied again while the stream goes on. A thread of its own; the
// stream does not wait for it.
//
//   Copier copier(options, log, std::move(initial_snapshot));
//   copier.Start();
//   ... copier.status() is OK for as long as the copy topic can be written
//   copier.Stop();                       // also before Start, and twice
//
// What is to be done stands in switchyard.capture_copy, so nothing is lost with the process:
// finished tables are never copied twice, unfinished ones (of a partitioned table all leaves) begin
// a new generation as of a new snapshot, taken by way of a short-lived slot. A copy that fails on
// the source is reported there and tried again, the later the more of the log it fills.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "capture/copy/copy_round.h"
#include "capture/copy/snapshot.h"
#include "capture/source/source_setup.h"
#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/retry.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/captured_tables.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

struct CopierOptions {
  records::Stream stream;
  CopyRoundOptions round;                             // also the connection
  absl::Duration retry_interval = absl::Seconds(10);  // see CaptureConfig
  absl::Duration request_interval = absl::Seconds(1);
  absl::Duration slot_timeout = absl::Seconds(10);  // see pg::SlotOptions
  // Before each snapshot but the initial one; see Monitor::Look.
  std::function<absl::Status(pg::Session&)> look;
};

// As the records of copies know a table.
records::LeafTable LeafOf(const catalog::Table& table);

class Copier {
 public:
  // `writer`: of the copy topic, which has the epoch's Hello. `initial`: the snapshot of the slot
  // just made, for the initial copy.
  Copier(const CopierOptions& options, std::unique_ptr<CopyWriter> writer,
         std::optional<Snapshot> initial);
  ~Copier() { Stop(); }

  void Start();
  void Stop();

  // Looks for work now instead of at the next interval.
  void Wake();

  // Not OK: the log refused the copy for good.
  absl::Status status() const;

 private:
  void Run();
  absl::Status RunConnected();
  // Copies once what is unfinished; false when there was nothing.
  absl::StatusOr<bool> CopyUnfinished(pg::Session& session);
  absl::Status CopyAsOf(pg::Session& session, Snapshot& snapshot,
                        const std::vector<records::CaptureCopy>& records);
  // Adds the partitions that the snapshot has, and takes out those that it has not.
  absl::Status TakeLeavesOf(pg::Session& session, Snapshot& snapshot,
                            std::vector<records::CaptureCopy>* records);
  absl::Status Follow(pg::Session& session, CopyRound& round);
  records::CaptureCopies CopiesIn(pg::Session& session) const;
  absl::Status TakeRequested(pg::Session& session);
  absl::Status Flush(pg::Session& session, CopyRound& round);
  // Not before `pause` is over the table of this record is copied again.
  void PutOff(const records::CaptureCopy& record, absl::Duration pause);
  // The same, and says why: those of `records` that are not `present` any more; one that failed.
  void PutOffGone(const std::vector<records::CaptureCopy>& records,
                  const std::vector<records::CaptureCopy>& present, absl::Duration pause);
  void PutOffFailed(const records::CaptureCopy& record, const absl::Status& failure,
                    absl::Duration pause);
  void Fail(const absl::Status& status);
  // Waits for `duration`, a Wake or the end.
  void Pause(absl::Duration duration);

  const CopierOptions options_;
  const std::unique_ptr<CopyWriter> writer_;
  std::optional<Snapshot> initial_;
  std::map<uint32_t, absl::Time> not_before_;  // by table, see TableOf; of its thread

  Cancel cancel_;
  std::thread thread_;
  mutable Mutex mu_;
  CondVar changed_;
  bool awake_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace switchyard::capture
