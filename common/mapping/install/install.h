// Puts a compiled mapping into the target database: Switchyard's own tables, the mirror, the views
// behind keyed mappings, and the stream's row.
//
// Everything happens in one transaction, and running it again for the same plan changes nothing.
#pragma once

#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/mapping/plan_change.h"

namespace switchyard::mapping {

struct InstallOptions {
  std::string stream;
  // Replace an older mapping, and write down in switchyard.request what the change asks for
  // (`resume`): see plan_change.h.
  bool replace = false;
};

// FailedPrecondition: the schema `switchyard` is not there and may not be created (the message
// gives the statement); a table of NEW holds rows that no `owns` sets apart; or another mapping is
// installed already (not `replace`).
absl::Status InstallTarget(pg::Session& session, const Plan& plan, const catalog::Catalog& source,
                           const InstallOptions& options);

// What replaces what is installed, if InstallTarget replaces it: the parts that differ, and the
// tables whose types changed in place.
absl::StatusOr<PlanChange> InstalledChange(pg::Session& session, const std::string& stream,
                                           const Plan& plan, const catalog::Catalog& source);

// FailedPrecondition when the table a mapping fills holds rows already that `owns` does not set
// apart: before the first install.
absl::Status RefuseForeignRows(pg::Session& session, const MappingPlan& mapping);

// Rows of the mirror can be looked up by what the mappings ask: after the copy.
absl::Status BuildMirrorIndexes(pg::Session& session, const Plan& plan);
// Of one table, once it is filled.
absl::Status BuildMirrorIndexes(pg::Session& session, const Plan& plan, const SourcePlan& source);
// Those that are missing, for a stream that goes on; cheap when there are none. Nothing else may
// write the mirror meanwhile: it would wait.
absl::Status AddMirrorIndexes(pg::Session& session, const Plan& plan);

}  // namespace switchyard::mapping
