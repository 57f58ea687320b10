// Copied rows that wait for the tables they refer to.
//
// Chunks of all tables come mixed. Where the target's foreign keys hold, the rows of a table that
// refers to another one are loaded beside it, into a table without constraints, and moved over when
// the whole copy is there. The tables outlast a restart, as what was copied does.
#pragma once

#include <cstddef>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// One for row-local mapping `index` of the plan, unless it is there already.
absl::Status MakeHeldTable(pg::Session& session, const mapping::Plan& plan, size_t index);
// The part of the mapping's write that loads a copy, into its held table.
mapping::TableWrite IntoHeld(const mapping::Plan& plan, size_t index);
// Empties it, when it is there.
absl::Status ClearHeld(pg::Session& session, size_t index);
// Moves its rows into the target and drops it, when it is there.
absl::Status MoveHeld(pg::Session& session, const mapping::Plan& plan, size_t index);
// Drops those of all mappings.
absl::Status DropHeld(pg::Session& session, const mapping::Plan& plan);

}  // namespace switchyard::replayer
