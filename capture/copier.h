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
// the source is reported there and tried again.
//
// Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "capture/copy_round.h"
#include "capture/snapshot.h"
#include "capture/source_setup.h"
#include "common/base/cancel.h"
#include "common/base/mutex.h"
#include "common/base/retry.h"
#include "common/eventlog/event_log.h"
#include "proto/event.pb.h"

namespace switchyard::capture {

struct CopierOptions {
  StreamNames names;
  std::string topic;       // "<stream>.copy"
  CopyRoundOptions round;  // also the connection
  uint64_t epoch = 0;
  event::v1::Hello hello;  // written before the first copy of the epoch
  absl::Duration request_interval = absl::Seconds(1);
  absl::Duration slot_timeout = absl::Seconds(10);  // see pg::SlotOptions
};

class Copier {
 public:
  // `initial`: the snapshot of the slot just made, for the initial copy. `log` must outlive it.
  Copier(const CopierOptions& options, eventlog::EventLog& log, std::optional<Snapshot> initial);
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
                        const std::vector<CopyRecord>& records);
  absl::Status Follow(pg::Session& session, CopyRound& round);
  absl::Status TakeRequested(pg::Session& session);
  absl::Status OpenWriter();
  absl::Status Flush(pg::Session& session, CopyRound& round);
  void Fail(const absl::Status& status);
  // Waits for `duration`, a Wake or the end.
  void Pause(absl::Duration duration);

  const CopierOptions options_;
  eventlog::EventLog& log_;
  std::optional<Snapshot> initial_;
  std::unique_ptr<CopyWriter> writer_;  // opened at the first copy

  Cancel cancel_;
  std::thread thread_;
  mutable Mutex mu_;
  CondVar changed_;
  bool awake_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace switchyard::capture
