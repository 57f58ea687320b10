// The replayer's loop for one stream: copy first, brought to one point where it was cut, then the
// change topic. When it is behind, many transactions become one; when it is up to date each is
// applied at once.
//
//   ReplayLoop loop(options, ports, cancel);
//   absl::Status status = loop.Run();   // until shutdown (Cancelled) or a person must act
//
// Run starts over, from the position in the target, after everything that may pass: connections
// lost, a target that crashed, another replayer (it stands by until that one is gone). It returns
// FailedPrecondition and DataLoss, with the reason also in the target.
//
// Everything outside comes in by its ports: it runs without a server, a thread or a real clock.
// Thread-compatible. What the ports name must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/records/stream/position.h"
#include "replayer/loop/applier.h"
#include "replayer/loop/drain.h"
#include "replayer/loop/ports.h"
#include "replayer/loop/trim_schedule.h"

namespace switchyard::replayer {

struct LoopOptions {
  std::string stream;
  std::string change_topic;
  std::string copy_topic;
  int64_t batch_rows_max = 50'000;
  int64_t batch_bytes_max = int64_t{16} << 20;
  // Records are trimmed this often, behind a position that the target has flushed. Zero: never.
  absl::Duration trim_interval = absl::Seconds(10);
  // What brings no change is noted in the target this often. Zero: at once.
  absl::Duration progress_interval = absl::ZeroDuration();
  absl::Duration standby_interval = absl::Seconds(1);
  uint64_t seed = 1;  // of the backoff's jitter
  // Once requested, Run ends (Cancelled) as soon as nothing more comes: nobody writes the log any
  // more. Null: never.
  const Cancel* drain = nullptr;
  absl::Duration drain_idle = absl::Seconds(2);  // several answers of a broker
  // After that long without a working connection a drain is given up; the log says why.
  absl::Duration drain_patience = absl::Seconds(30);
};

class ReplayLoop {
 public:
  ReplayLoop(LoopOptions options, Ports ports, const Cancel& cancel);

  absl::Status Run();

 private:
  absl::Status RunOnce();
  absl::Status StandBy(const absl::Status& reason);
  absl::Status FinishCopy(const records::StreamState& state);
  absl::Status RollForward(Lsn last, int64_t until);
  absl::StatusOr<std::unique_ptr<Batches>> ReadFrom(const records::StreamState& state,
                                                    absl::Duration progress_interval);
  absl::Status Stream();
  absl::Status StreamFrom(const records::StreamState& state);
  bool consistent() const { return !ports_.chores.resuming() && !applier_.in_doubt(); }
  absl::Status NoteConsistency();
  absl::Status Chore();
  absl::Status TrimIfDue();
  absl::Status Stop(const absl::Status& reason);
  absl::Status GoBack(const absl::Status& lost);
  int64_t ReadsFrom(const records::Position& position) const;
  int64_t TrimmableUpTo() const;

  const LoopOptions options_;
  const Ports ports_;
  const Cancel& cancel_;
  Drain drain_;
  TrimSchedule trims_;
  Applier applier_;
  // Where the log is read on for a position whose offset means another record now.
  struct Back {
    records::Position from;
    int64_t to = 0;
  };
  std::optional<Back> back_;
  records::Position began_;  // where NEW stood when reading began
  bool announced_standby_ = false;
  absl::Time next_chores_ = absl::InfinitePast();
};

}  // namespace switchyard::replayer
