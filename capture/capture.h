// Captures one stream: everything that is committed in the mapped tables of a source database, in
// commit order, onto the change topic, and copies of the tables onto the copy topic.
//
//   Capture capture(config, *log, cancel);
//   absl::Status ended = capture.Run();      // Cancelled on shutdown; else why a person must act
//
// One slot, one capture: a second one stands by and takes over when the first is gone. Lost
// connections are made again, each time under a new epoch. The slot is acknowledged only up to what
// the log holds durably; what was acknowledged and is not on the log is DataLoss, never skipped.
//
// Run blocks its thread. stats() may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "capture/source/drift.h"
#include "capture/source/source_setup.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::capture {

struct CaptureConfig {
  records::Stream stream;
  pg::ConnectionString dsn;  // of the source
  std::string application_name = "switchyard capture";
  std::vector<spec::TableName> tables;  // catalog::SourceTables of the direction
  std::vector<std::string> schemas = {"public"};
  LeftOut left_out;  // see drift.h
  int copy_workers = 2;
  int64_t copy_range_bytes = int64_t{256} << 20;
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration drift_check_interval = absl::Seconds(5);
  // A copy that waits for a person is tried again after this, or ten times what it took.
  absl::Duration copy_retry_interval = absl::Seconds(10);
  std::optional<bool> failover;  // whether standbys may keep the slot; unset: left as it is
  absl::Duration slot_timeout = absl::Seconds(10);     // for a slot's creation, then tried again
  absl::Duration standby_interval = absl::Seconds(1);  // between attempts to take over
};

// What to do about a loss: the next step of every refusal that costs changes.
std::string HowToBeginAnew(const records::Stream& stream);

// What a running capture did since it was made. Plain numbers for metrics and status.
struct CaptureStats {
  enum class State { kConnecting, kStandby, kStreaming } state = State::kConnecting;
  uint64_t epoch = 0;
  uint64_t transactions = 0;
  uint64_t rows = 0;
  Lsn received;   // everything below it has been handed to the log
  Lsn confirmed;  // everything below it is durable there
  int64_t last_commit_time_us = 0;
};

// The same, written by the capture loop and read by any thread.
struct SharedStats {
  std::atomic<int> state = 0;
  std::atomic<uint64_t> epoch = 0, transactions = 0, rows = 0, received = 0, confirmed = 0;
  std::atomic<int64_t> last_commit_time_us = 0;
};

class Capture {
 public:
  // `log` and `cancel` must outlive it.
  Capture(const CaptureConfig& config, eventlog::EventLog& log, const Cancel& cancel);

  // Cancelled once shutdown was requested; else why a person must act, which also stands in
  // its record (records::CaptureStreams::NoteRefusal), if that could be reached. DataLoss: changes
  // that the slot was acknowledged for are not on the log, or can't get there. FailedPrecondition
  // and any other code: something is missing or was changed. What may pass (Unavailable, Aborted,
  // Unknown) is retried.
  absl::Status Run();

  // Asks for a copy of one more generation of a table (all leaves, if partitioned) while streaming.
  // NotFound when the stream does not capture it. Any process may ask, on its own connection.
  static absl::Status Recopy(pg::Session& session, const records::Stream& stream,
                             const spec::TableName& table);

  // Lets the next start make a new slot and copy every table, after a refusal that cost changes;
  // also on a source that never heard of the stream, as after a restore. The capture must have
  // ended. The next epoch is above `epoch`, the highest that the log may hold.
  static absl::Status BeginAnew(pg::Session& session, const records::Stream& stream,
                                uint64_t epoch = 0);
  // Tables other than these (by relation, a partitioned one by its root) are mapped no more, so
  // they are not suspect: of two that had one name, the one before. These are mapped by the names
  // that they have now.
  static absl::Status ForgetSuspects(pg::Session& session, const records::Stream& stream,
                                     const std::vector<uint32_t>& kept);

  CaptureStats stats() const;

 private:
  void NoteRefusal(const absl::Status& refusal);

  const CaptureConfig config_;
  eventlog::EventLog& log_;
  const Cancel& cancel_;
  SharedStats stats_;
};

}  // namespace switchyard::capture
