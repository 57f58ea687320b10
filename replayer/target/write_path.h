// The search_path around writes of NEW's tables.
//
// Every name in a statement of the plan stands with its schema, or is pg_catalog's. What NEW itself
// runs while its rows are written (triggers, and functions in CHECKs, defaults, generated columns,
// indexes and rules) was made for NEW's own path and may break, or do something else, without it;
// so may functions that the mapping calls.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// What to SET search_path to: nothing, for pg_catalog alone will do; the role's and database's
// path, where writing the plan's tables runs code of NEW's own; else the plan's, where it calls
// functions that look names up as they run. `silent`: session_replication_role is replica.
absl::StatusOr<std::string> WritePath(pg::Session& session, const mapping::Plan& plan, bool silent);

}  // namespace switchyard::replayer
