// The replayer's loop for one stream: copy first, brought to one point where it was cut, then the
// change topic, one thread reading and batching, one applying, joined by a bounded queue. When it
// is behind, many transactions become one; when it is up to date each is applied at once.
//
//   Replayer replayer(options, plan, log, cancel);
//   absl::Status status = replayer.Run();   // until shutdown (Cancelled) or a person must act
//
// Run starts over, from the position in the target, after everything that may pass: connections
// lost, a target that crashed, another replayer (it stands by until that one is gone). It returns
// FailedPrecondition and DataLoss, with the reason also in switchyard.stream.stop_reason.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/cancel.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "common/mapping/plan_change.h"
#include "replayer/copy/copy_loader.h"
#include "replayer/copy/recopy.h"
#include "replayer/pipeline.h"
#include "replayer/target/pg_target.h"
#include "replayer/trimmer.h"

namespace switchyard::replayer {

struct ReplayerOptions {
  PgTargetOptions target;
  std::string change_topic;
  std::string copy_topic;
  // See CopyLoaderOptions.
  std::vector<std::pair<std::string, std::string>> after_copy;
  int64_t batch_rows_max = 50'000;
  int64_t batch_bytes_max = int64_t{16} << 20;
  int copy_workers = 2;  // connections that load the initial copy at the same time
  // Records are trimmed this often, behind a position that the target has flushed. Zero: never.
  absl::Duration trim_interval = absl::Seconds(10);
  // NEW's constraints are looked at this often, see mapping::RefuseUncheckedConstraints; and the
  // age of the session's temporary tables.
  absl::Duration look_interval = absl::Seconds(5);
  absl::Duration standby_interval = absl::Seconds(1);
  // Asked when a value can't be read with the types that the target has of the source's: true when
  // those have learnt something, and reading starts over. Null: never.
  std::function<absl::StatusOr<bool>()> learn_values;
  uint64_t seed = 1;  // of the backoff's jitter
  // Once requested, Run ends (Cancelled) as soon as nothing more comes: nobody writes the log any
  // more. Null: never.
  const Cancel* drain = nullptr;
  absl::Duration drain_idle = absl::Seconds(2);  // several answers of a broker
  // After that long without a working connection a drain is given up; the log says why.
  absl::Duration drain_patience = absl::Seconds(30);
};

class Replayer {
 public:
  Replayer(ReplayerOptions options, const mapping::Plan& plan, eventlog::EventLog& log,
           const Cancel& cancel);
  ~Replayer();

  absl::Status Run();

 private:
  // A request of kind resume: NEW is not to be read until it is done.
  struct OpenResume {
    std::string request;
    mapping::ResumeWork work;
  };

  // Records below these offsets are needed no more.
  struct TrimPoint {
    int64_t change = 0;
    int64_t copy = 0;
  };

  absl::Status RunOnce();
  absl::Status RefuseLostCopy(const records::StreamState& state);
  absl::Status Copy();
  absl::Status RefuseUnreadableCopy(const CopyLoader& loader);
  absl::Status FinishCopy(const records::StreamState& state);
  absl::Status RollForward(Lsn last, int64_t until);
  absl::StatusOr<std::unique_ptr<Pipeline>> OpenPipeline(const records::StreamState& state);
  absl::Status Stream();
  absl::Status StreamFrom(const records::StreamState& state);
  absl::StatusOr<bool> ApplyNext(Pipeline& pipeline);
  absl::Status ApplyOne(const changes::Batch& batch);
  bool consistent() const { return !resume_.has_value() && !in_doubt_; }
  absl::Status NoteConsistency();
  absl::Status Chores();
  absl::Status HandleRequests();
  absl::StatusOr<std::optional<OpenResume>> LoadResume();
  absl::Status StepResume();
  absl::Status DeriveChanged(const std::vector<std::string>& tables);
  bool TrimIsDue();
  absl::Status TrimFlushed(const TrimPoint& point);
  absl::Status ApplyUnlessHeld(const changes::Batch& batch);
  bool IsHeldBack(const changes::Batch& batch) const;
  absl::Status AwaitRelease(const changes::Batch& batch);
  bool LearnsFrom(const absl::Status& failed);
  absl::Status Stop(const absl::Status& reason);
  // After every wait for the log, `idle` when nothing came.
  absl::Status EndIfDrained(bool idle);
  bool draining() const;
  bool GiveUpDraining(const absl::Status& status);
  absl::Status Look();
  absl::Status RefuseUnchecked();

  const ReplayerOptions options_;
  const mapping::Plan& plan_;
  eventlog::EventLog& log_;
  const Cancel& cancel_;
  PgTarget target_;
  Trimmer trimmer_;
  std::unique_ptr<Recopy> recopy_;  // of the session that streams
  Lsn alone_until_;          // transactions up to here go one by one: merged, a row was refused
  bool careful_ = false;     // a batch was refused: find the rows, until one transaction is through
  bool in_doubt_ = false;    // see doubt.h
  bool read_again_ = false;  // from the position: a table is no longer in doubt, or a hold was set
  std::optional<Lsn> hold_;  // as last seen
  std::optional<OpenResume> resume_;
  bool announced_standby_ = false;
  bool drained_ = false;
  absl::Time busy_at_;        // something came, or was still to come
  absl::Time failing_since_;  // while draining
  absl::Time next_chores_;
  absl::Time next_look_;
  absl::Time next_trim_;
  // To be trimmed to once the target has flushed its WAL up to trim_wal_.
  TrimPoint trim_;
  Lsn trim_wal_;
};

}  // namespace switchyard::replayer
