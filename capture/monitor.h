// Watches the source beside the stream, on a connection and a thread of its own:
//   - every drift interval it compares the tables with what was recorded of them (drift.h); tables
//     that changed unseen become suspect, on the source and in the log lines
//   - likewise it looks whether the publication still has switchyard.mark, without which capture
//   ends
//   - when the stream has brought nothing for a heartbeat interval it emits a message, so that the
//     slot of an idle database advances and a reader sees that the path is alive
// A connection lost is made again; what could not be checked meanwhile is checked then. How young
// the last check is stands in switchyard.capture_stream.drift_checked_at.
//
//   Monitor monitor(options, shapes);
//   monitor.Start();
//   monitor.NoteActivity();              // by the capture loop, at each commit and heartbeat
//
// Thread-safe.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "capture/source/drift.h"
#include "capture/source/source_setup.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

struct MonitorOptions {
  records::Stream stream;
  pg::ConnectionString dsn;
  std::string application_name;
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration drift_check_interval = absl::Seconds(5);
  LeftOut left_out;
};

// Compares `shapes` with the source as it is now, records the suspects and the new shapes, and
// logs a line for each. One step of the monitor; also what capture does first.
absl::Status CheckDrift(pg::Session& session, const records::Stream& stream,
                        const LeftOut& left_out, TableShapes* shapes);

class Monitor {
 public:
  Monitor(const MonitorOptions& options, TableShapes shapes);
  ~Monitor() { Stop(); }

  void Start();
  void Stop();
  // Stop won't wait long; nor will Look, for a look that is under way.
  void RequestStop() { cancel_.Request(); }

  // Looks now, over the caller's session: what is copied after it is not suspect of what was
  // before.
  absl::Status Look(pg::Session& session) ABSL_LOCKS_EXCLUDED(mu_);
  // The same, and whether that table or partition is known now.
  absl::StatusOr<bool> LookFor(pg::Session& session, uint32_t relation_id) ABSL_LOCKS_EXCLUDED(mu_);

  // FailedPrecondition: the publication has switchyard.mark no more, or not as it must.
  absl::Status fault() const ABSL_LOCKS_EXCLUDED(fault_mu_);

  // Where the source needs a connection begun later than that (LastPartitionChange); else 0/0.
  Lsn partition_change() const { return Lsn(partition_change_.load()); }

  void NoteActivity() { last_activity_ns_ = absl::GetCurrentTimeNanos(); }

 private:
  absl::Status LookForMark(pg::Session& session) ABSL_LOCKS_EXCLUDED(fault_mu_);
  void Run();
  absl::Status RunConnected();

  const MonitorOptions options_;
  Mutex mu_;
  TableShapes shapes_ ABSL_GUARDED_BY(mu_);
  mutable Mutex fault_mu_;  // for a moment only, other than that of a look
  absl::Status fault_ ABSL_GUARDED_BY(fault_mu_);
  std::atomic<int64_t> last_activity_ns_;
  std::atomic<uint64_t> partition_change_ = 0;
  Cancel cancel_;
  std::thread thread_;
};

}  // namespace switchyard::capture
