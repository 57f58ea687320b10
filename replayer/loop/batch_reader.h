// The reading half of the replayer, one step at a time: reads a change topic, collapses
// transactions into batches and hands them over. A batch is cut when it is full, or when nothing
// more can be read now and whoever takes it is idle.
//
//   BatchReader batches(reading, plan, *reader, clock);
//   ASSIGN_OR_RETURN(bool goes_on, batches.Step(hand, idle));   // again and again
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/clock.h"
#include "common/base/wait/pace.h"
#include "common/changes/batch.h"
#include "common/changes/batcher.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "replayer/loop/ports.h"

namespace switchyard::replayer {

class BatchReader {
 public:
  BatchReader(const Reading& reading, const mapping::Plan& plan, eventlog::LogReader& reader,
              const Clock& clock);

  // What is taken before a batch is full.
  enum class Wanted { kNothing, kChanges, kProgress };
  // Waits a little for the log, and passes what is to be handed over to `hand`, which returns
  // false when nothing is taken any more. `wanted`: now.
  // False: so it said. After an error, what is whole before the fault was handed over.
  absl::StatusOr<bool> Step(absl::FunctionRef<bool(changes::Batch)> hand,
                            absl::FunctionRef<Wanted()> wanted);

 private:
  bool MayWait(Wanted wanted, absl::Time now) const;

  eventlog::LogReader& reader_;
  const Clock& clock_;
  changes::Batcher batcher_;
  std::vector<eventlog::LogRecord> records_;
  Pace pace_;
  const absl::Duration progress_interval_;
  absl::Time handed_;
};

}  // namespace switchyard::replayer
