// A capture without a server: the product's Publisher (and with it AckTracker, EventEncoder and
// RelationCache) fed with the messages that pgoutput would send for the source's WAL, and its look
// at how far the log covers the stream.
//
//   SimCapture capture(world, source, log, cancel);    // takes the slot and an epoch
//   while (capture.ok()) capture.Step();
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capture/publish/publisher.h"
#include "common/base/wait/cancel.h"
#include "tests/sim/sim_log.h"
#include "tests/sim/sim_source.h"
#include "tests/sim/world.h"

namespace switchyard::sim {

inline constexpr char kChangeTopic[] = "sim.changes";
inline constexpr char kCopyTopic[] = "sim.copy";

class SimCapture {
 public:
  SimCapture(World& world, SimSource& source, SimLog& log, const Cancel& cancel);

  // One message, or a keepalive; then what capture does between messages.
  void Step();
  // False: its writer has ended; another capture is to take over.
  bool ok() const { return status_.ok(); }
  // Another capture has the slot: what it was sent before is published all the same.
  void LoseSlot();
  // Nothing to send.
  bool idle() const { return next_ >= wal_end_ && message_ == 0; }
  bool pending() const { return publisher_->pending(); }

 private:
  absl::Status Begin(const Cancel& cancel);
  absl::Status SendNext();
  absl::Status SendMessageOf(const SimRecord& record);
  absl::Status SendChange(const SimRecord& record, const SimChange& change);
  absl::Status SendRelation(int table);
  absl::Status SendTruncate(const SimChange& change);
  absl::Status SendMessage(Lsn lsn, bool transactional, const char* prefix);
  void Acknowledge();

  World& world_;
  SimSource& source_;
  SimLog& log_;
  absl::Status status_;
  std::unique_ptr<eventlog::LogWriter> writer_;
  std::optional<capture::Publisher> publisher_;
  bool has_slot_ = true;
  size_t next_ = 0;     // of the WAL
  size_t wal_end_ = 0;  // once the slot is lost: all that was sent
  size_t message_ = 0;  // of that record; 0: its beginning
  std::set<int> described_;
  capture::PgoutputMessage out_;
};

}  // namespace switchyard::sim
