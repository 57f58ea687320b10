// The source's user types and collations, made again on the target for the mirror and the stages.
#pragma once

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

// Those that are not there yet.
absl::Status MakeTypes(pg::Session& session, const Plan& plan, const catalog::Catalog& source);

// Those that are there as the source has them now, `before` being the catalogue they were made
// from: enums learn new values. FailedPrecondition: one changed in a way that rows which are here
// already can't follow.
absl::Status RefreshTypes(pg::Session& session, const catalog::Catalog& before,
                          const catalog::Catalog& source);

}  // namespace switchyard::mapping
