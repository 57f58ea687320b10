// One attempt of a capture: connections, slot, epoch and loop, until one of them is lost. Capture
// makes another one then.
//
//   StreamRun run(config, log, cancel, &stats);
//   absl::Status ended = run.Run();
//
// Thread-compatible; it owns the threads of its monitor and copier.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capture/capture.h"
#include "capture/copy/copier.h"
#include "capture/copy/snapshot.h"
#include "capture/monitor.h"
#include "capture/publish/log_coverage.h"
#include "capture/publish/publisher.h"
#include "capture/source/drift.h"
#include "capture/source/source_state.h"
#include "capture/table_roots.h"
#include "common/catalog/catalog.h"
#include "common/pg/replication/replication_stream.h"
#include "common/pg/session.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_streams.h"

namespace switchyard::capture {

class StreamRun {
 public:
  StreamRun(const CaptureConfig& config, eventlog::EventLog& log, const Cancel& cancel,
            SharedStats* stats)
      : config_(config),
        log_(log),
        cancel_(cancel),
        stats_(*stats),
        transactions_before_(stats->transactions),
        rows_before_(stats->rows) {}
  ~StreamRun();

  // The errors of Capture::Run; besides Unavailable and Aborted: try again.
  absl::Status Run();

 private:
  using State = CaptureStats::State;

  // What ended the stream, in words for a person where the server's own don't tell enough.
  absl::Status Explain(const absl::Status& ended) const;
  absl::Status WhySlotWasLost(const absl::Status& lost);

  // What the source keeps of the stream.
  records::CaptureStreams streams() const { return {*session_, config_.stream.name}; }
  records::CaptureCopies copies() const { return {*session_, config_.stream.name}; }

  // Waits until no other capture of this stream is at work on its creation or copy.
  absl::Status AwaitTurn();
  // Reads the catalogue and the stream's record, and verifies the source.
  absl::Status Prepare();
  absl::Status CheckSlotIsOurs(const std::optional<SlotState>& slot) const;
  // A stream that does not exist yet, or whose creation was cut off.
  absl::Status Create();
  absl::Status CheckNewLog();
  absl::Status DropUnfinishedSlot();
  // Tables that came into the migration file or left it, and changes nobody saw.
  absl::Status Resume();

  // False while another session holds the slot.
  absl::StatusOr<bool> TryAcquireSlot();
  // Who holds it: told once of each.
  absl::Status NoteHolder(int* told_pid);
  absl::Status CheckLog(Lsn confirmed_flush);
  // Makes the slot one that standbys may keep, or not, as the file says.
  absl::Status AlterSlot(const SlotState& slot);
  // The source was promoted since the stream was begun: finds where, and whether it may go on.
  absl::Status CheckPromotion(const LogCoverage& coverage);
  // Takes an epoch, writes its Hello to both topics and starts monitor and copier.
  absl::Status BeginEpoch();
  event::v1::Hello NewHello() const;
  // From here on the log tells of the promotion.
  absl::Status NotePromotion(uint64_t epoch);
  absl::Status BeginCopyTopic(uint64_t epoch);
  void StartHelpers();
  // A partition came or went since this connection began, and the server is too old to notice.
  bool NeedsNewConnection() const;
  absl::Status NewConnection() const;  // Unavailable

  absl::Status Loop();
  absl::Status Handle(const pg::Frame& frame);
  absl::Status Housekeep();
  // What became durable since the last look is acknowledged before the connection goes.
  void Finish();

  const CaptureConfig& config_;
  eventlog::EventLog& log_;
  const Cancel& cancel_;
  SharedStats& stats_;

  std::unique_ptr<pg::Session> session_;  // holds the stream's advisory lock
  catalog::Catalog catalog_;
  std::optional<records::CaptureStream> record_;
  TableShapes shapes_;  // as of the start
  std::optional<Snapshot> initial_;

  std::unique_ptr<pg::ReplicationStream> stream_;
  Lsn start_;                // confirmed_flush_lsn when the slot was acquired
  std::optional<Lsn> fork_;  // where the timeline that the stream was on ended
  uint64_t logged_epoch_ = 0;
  std::unique_ptr<eventlog::LogWriter> writer_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<CopyWriter> copy_writer_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<TableRoots> roots_;
  std::unique_ptr<Copier> copier_;
  PgoutputMessage message_;
  Lsn noted_position_;
  // Of the runs before this one.
  const uint64_t transactions_before_;
  const uint64_t rows_before_;
};

}  // namespace switchyard::capture
