// The replayer of one stream on Postgres: the loop (loop/replay_loop.h) with its ports. One thread
// reads and batches, one applies, joined by a bounded queue.
//
//   Replayer replayer(options, plan, log, cancel);
//   absl::Status status = replayer.Run();   // until shutdown (Cancelled) or a person must act
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "replayer/loop/replay_loop.h"
#include "replayer/pg_chores.h"
#include "replayer/pg_initial_copy.h"
#include "replayer/pg_target_port.h"
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
  absl::Duration progress_interval = absl::ZeroDuration();  // see LoopOptions
  absl::Duration standby_interval = absl::Seconds(1);
  // Asked when a value can't be read with the types that the target has of the source's: true when
  // those have learnt something, and reading starts over. Null: never.
  std::function<absl::StatusOr<bool>()> learn_values;
  uint64_t seed = 1;  // of the backoff's jitter
  // See LoopOptions.
  const Cancel* drain = nullptr;
  absl::Duration drain_idle = absl::Seconds(2);
  absl::Duration drain_patience = absl::Seconds(30);
};

class Replayer {
 public:
  Replayer(const ReplayerOptions& options, const mapping::Plan& plan, eventlog::EventLog& log,
           const Cancel& cancel);
  ~Replayer();

  // See ReplayLoop.
  absl::Status Run() { return loop_.Run(); }

 private:
  PgTarget target_;
  Trimmer trimmer_;
  PgTargetPort target_port_;
  PgInitialCopy copy_;
  PgChores chores_;
  ReplayLoop loop_;
};

}  // namespace switchyard::replayer
