// Sessions on the target as the replayer wants them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

struct PgTargetOptions {
  pg::ConnectionString dsn;
  std::string stream;
  // session_replication_role = replica: the target's triggers and foreign keys stay silent. Needs
  // GRANT SET ON PARAMETER session_replication_role (Postgres 15), or a superuser. A role without
  // writes in foreign-key order (ordered_writer.h).
  bool replica_role = true;
  // Off is safe (pg_target.h) and faster; on where somebody waits for what was applied.
  bool synchronous_commit = false;
  // Temporary tables that a session keeps from one transaction to the next. All are locked when it
  // ends, with what hangs on them: three thousand of the 6,400 locks that a server has by default.
  size_t temporary_tables_kept = 1'000;
  int64_t quarantine_max = 1000;
  int64_t scopes_per_recompute = 20'000;
  // See FreezeTemporaryTables.
  int64_t temporary_age_max = 20'000'000;
  mapping::Sensitive sensitive;  // what of an error may be stored
};

// Where allowed, triggers and foreign keys are silent in it; `silent`, unless null, tells.
absl::StatusOr<std::unique_ptr<pg::Session>> OpenTarget(const PgTargetOptions& options,
                                                        const Cancel& cancel,
                                                        bool* silent = nullptr);

// Of the stream's advisory lock: hashtextextended(name, 7).
std::string ReplayLockName(std::string_view stream);
// One that holds the stream's lock until it ends: as a replayer's, or in place of one.
// AlreadyExists: a replayer has it.
absl::StatusOr<std::unique_ptr<pg::Session>> OpenExclusively(const PgTargetOptions& options,
                                                             const Cancel& cancel,
                                                             bool* silent = nullptr);

// Nobody else can vacuum a session's temporary tables, and while they hold transactions from long
// ago the target forgets none: after 2 billion it takes no writes any more. Freezes them all once
// the oldest is more than `age_max` transactions old. Not in a transaction.
absl::Status FreezeTemporaryTables(pg::Session& session, int64_t age_max);

}  // namespace switchyard::replayer
