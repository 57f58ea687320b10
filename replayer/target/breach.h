// What is kept of a batch that somebody wrote to the side that did not own.
#pragma once

#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// Each changed row with both images, before the mirror takes the batch, which is staged. One line
// of the log for each table. FailedPrecondition: more than `open_max` are open, the stream stops.
absl::Status StoreBreaches(pg::Session& session, const mapping::Plan& plan,
                           const std::string& stream, const changes::Batch& batch,
                           int64_t open_max);

}  // namespace switchyard::replayer
