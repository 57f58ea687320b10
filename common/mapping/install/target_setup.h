// What the target of a stream needs, printed for its owner, verified by `check` and by every role
// that starts to apply.
//
//   std::string sql = TargetOwnerSql(options, target_catalog);
//   ASSIGN_OR_RETURN(auto faults, VerifyTarget(*session, stream, target_catalog));
//
// The owner creates; the replayer runs with the rights printed here and no more: it writes the
// mapped tables, and has schema `switchyard` and that of the mirror for its own.
// Thread safety: functions over plain values; VerifyTarget uses the session it is given.
#pragma once

#include <string>
#include <vector>

#include "common/base/finding.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

// Of Postgres: what the setup of a target needs.
inline constexpr int kTargetVersionMin = 140000;

struct TargetOptions {
  records::Stream stream;
  std::string role = "switchyard_replay";  // who replays
  bool captured = false;                   // by the same role, for the other direction
};

// Tables of the target that selects read and nobody fills: `static` ones with a schema.
std::vector<spec::TableName> LookupTables(const spec::Direction& direction);

// Whether the session's role may set session_replication_role, which keeps the target's triggers
// and foreign keys silent. Without it they hold: see write_order.h.
absl::StatusOr<bool> MaySilence(pg::Session& session);

// FailedPrecondition where another stream of that direction is applied to this database: mirrors
// and views would have the same names.
absl::Status RefuseSecondStream(pg::Session& session, const std::string& stream);

// The SQL the owner of the target runs, whole and repeatable. `target` holds the tables that are
// filled and the lookups.
std::string TargetOwnerSql(const TargetOptions& options, const catalog::Catalog& target);

// Everything at once that the session's role lacks, with the SQL to run; empty when the replayer
// can work with that role.
absl::StatusOr<std::vector<Finding>> VerifyTarget(pg::Session& session,
                                                  const records::Stream& stream,
                                                  const catalog::Catalog& target);

// What VerifyTarget says of deferrable constraints, of the tables as they are now: NEW may be given
// a partition, or a constraint, while rows are applied. Only where triggers are silent.
absl::Status RefuseUncheckedConstraints(pg::Session& session, const Plan& plan);

// OK, or FailedPrecondition with every fault and its step.
absl::Status FaultsToStatus(const std::vector<Finding>& faults);

}  // namespace switchyard::mapping
