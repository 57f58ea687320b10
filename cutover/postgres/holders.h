// Who is in the way of the locks of a fence, and how long an application may wait for one of them
// before Postgres looks for deadlocks.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "common/pg/rows.h"
#include "cutover/ports.h"

namespace switchyard::cutover {

// Transactions, prepared ones too, that hold what keeps a fence of `migration` from its locks; but
// `own_pid`. The oldest first. What they run is shown as far as this role may see it.
absl::StatusOr<std::vector<Holder>> FindHolders(pg::ControlSession& session,
                                                const std::string& migration, int own_pid,
                                                absl::Duration limit);

// "pid 4711 on public.orders for 12s (UPDATE orders ...), prepared transaction 'x' on ..."
std::string ToString(const std::vector<Holder>& holders);

// The least that the server, this database or a role of it says.
absl::StatusOr<absl::Duration> LeastDeadlockTimeout(const pg::Sql& sql);

}  // namespace switchyard::cutover
