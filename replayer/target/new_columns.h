// Columns that a source table has got since the mapping was compiled. Where a mapping carries
// columns over by their name, and the target has one of that name too, its values would be left out
// without a word.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// `relation` is a serialized Relation event. FailedPrecondition: it has such a column; the stream
// stops before the first row that does.
absl::Status CheckNewColumns(pg::Session& session, const mapping::Plan& plan,
                             const std::string& relation);

}  // namespace switchyard::replayer
