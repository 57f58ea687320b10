// What is kept of a batch that somebody wrote to the side that did not own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "common/records/breaches.h"

namespace switchyard::replayer {

// Each changed row with both images, before the mirror takes the batch, which is staged. One line
// of the log for each table. FailedPrecondition: more than `open_max` are open, the stream stops.
absl::Status StoreBreaches(pg::Session& session, const mapping::Plan& plan,
                           const std::string& stream, const changes::Batch& batch,
                           int64_t open_max);

// The change of one entry, as a batch of one row; and the one that takes it out of the mirror
// again, where there is one.
struct BreachChange {
  changes::Batch change;
  std::optional<changes::Batch> back;
};
// FailedPrecondition: it can't be made again from what was kept of it.
absl::StatusOr<BreachChange> ChangeOf(const mapping::Plan& plan, const records::Breach& breach);
// Whether the mirror has the row as the breach left it: nobody has changed it since.
absl::StatusOr<bool> MirrorHas(pg::Session& session, const mapping::SourcePlan& source,
                               const records::Breach& breach);

}  // namespace switchyard::replayer
