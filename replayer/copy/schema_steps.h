// The `after_copy` steps: SQL that makes indexes and foreign keys once NEW's tables are full.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// Runs the steps (a name for people, and the SQL) inside the caller's transaction, and keeps there
// that they were. What a step made outlives the rows: after a copy made anew it is left out, unless
// its text is another one or a table that was filled then is gone.
absl::Status RunSchemaSteps(pg::Session& session, const mapping::Plan& plan,
                            const std::string& stream,
                            const std::vector<std::pair<std::string, std::string>>& steps);

}  // namespace switchyard::replayer
