// The end of a re-copy: what was loaded beside the live tables is brought to where the stream
// stands, and takes their place as one difference.
//
//   RecopySwap swap(target, plan, log, options);
//   RETURN_IF_ERROR(swap.RollForward(job));
//   RETURN_IF_ERROR(target.ReplaceSources({job.source}, {}, [&] { return swap.SwapTables({&job});
//   }));
//
// Thread-compatible. What it is made of outlives it.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "replayer/copy/recopy_job.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

class RecopySwap {
 public:
  RecopySwap(PgTarget& target, const mapping::Plan& plan, eventlog::EventLog& log,
             const RecopyOptions& options)
      : target_(target), plan_(plan), log_(log), options_(options) {}

  // Applies to the side table what the change topic holds between the copy and the position; sets
  // `from` to that, or `outdated` where the copy can't be rolled through a row.
  absl::Status RollForward(RecopyJob& job);
  // Within PgTarget::ReplaceSources.
  absl::Status SwapTables(const std::vector<RecopyJob*>& jobs);

 private:
  absl::Status SwapTable(const RecopyJob& job, const mapping::TableWrite& write);

  PgTarget& target_;
  const mapping::Plan& plan_;
  eventlog::EventLog& log_;
  const RecopyOptions& options_;
};

}  // namespace switchyard::replayer
