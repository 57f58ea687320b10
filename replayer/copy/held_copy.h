// Copied rows that wait for the tables they refer to.
//
// Chunks of all tables come mixed. Where the target's foreign keys hold, the rows of a table that
// refers to another one are loaded beside it, as the source has them, into a table without
// constraints; what the log changes until the whole copy is of one point goes there too. Then they
// are moved over. The tables outlast a restart, as what was copied does.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// One for row-local mapping `index` of the plan, unless it is there already.
absl::Status MakeHeldTable(pg::Session& session, const mapping::Plan& plan,
                           mapping::MappingIndex index);
// Writes it from the stage of the mapping's source.
mapping::TableWrite HeldWrite(const mapping::Plan& plan, mapping::MappingIndex index);
// Those that are there, quoted, by mapping.
absl::StatusOr<std::map<mapping::MappingIndex, std::string>> HeldTables(pg::Session& session,
                                                                        const mapping::Plan& plan);
// Their rows can be found by key, for changes of the log.
absl::Status IndexHeld(pg::Session& session, const mapping::Plan& plan,
                       mapping::MappingIndex index);
// Empties it, when it is there.
absl::Status ClearHeld(pg::Session& session, const mapping::Plan& plan,
                       mapping::MappingIndex index);
// Drops those of all mappings.
absl::Status DropHeld(pg::Session& session, const mapping::Plan& plan);

}  // namespace switchyard::replayer
