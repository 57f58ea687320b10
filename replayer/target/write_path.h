// The search_path of sessions that write NEW's tables.
//
// Every name in a statement of the plan stands with its schema, or is pg_catalog's. What NEW itself
// runs while its rows are written (triggers, and functions in CHECKs, defaults, generated columns,
// indexes and rules) was made for NEW's own path and may break, or do something else, without it;
// so may functions that the mapping calls.
#pragma once

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// Leaves pg_catalog alone in the path of `session`, unless writing the plan's tables runs code of
// NEW's own: then it is the role's and database's. Else, with functions that look names up as they
// run, the plan's. `silent`: session_replication_role is replica. Once a session: the path stays.
absl::Status SetWritePath(pg::Session& session, const mapping::Plan& plan, bool silent);

}  // namespace switchyard::replayer
