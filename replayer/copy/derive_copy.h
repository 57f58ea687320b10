// The end of an initial copy: all that is computed from it, where its tables are of one point.
//
// Thread safety: functions over values and the target's session.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

// Until the matching end, changes go to mirrors and to row-local tables, or to what is held back of
// those (held_copy.h); nothing is derived.
absl::Status BeginRollForward(PgTarget& target, const mapping::Plan& plan);

// Mirrors get their indexes; then, in one transaction at the stream's position: what was held back
// and what is derived, the steps `after_copy` (a name for people, and the SQL) and state streaming.
// The position must have reached `last`.
absl::Status DeriveCopy(PgTarget& target, const mapping::Plan& plan, const std::string& stream,
                        Lsn last,
                        const std::vector<std::pair<std::string, std::string>>& after_copy);

}  // namespace switchyard::replayer
