// Whether the session's role can run the `after_copy` steps, as far as their text tells: found
// before a copy of hours, not after it.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/target_setup.h"
#include "common/pg/session.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

// Tables that are altered or indexed without being owned, schemas where no index may be made,
// tables that may not be referenced; and constraints that would not hold while rows are applied.
// Tables that are not there yet are the steps' own affair. Nothing when the stream's copy is
// loaded already: the steps have run.
absl::StatusOr<std::vector<TargetFault>> VerifyAfterCopy(pg::Session& session,
                                                         const std::vector<spec::SchemaStep>& steps,
                                                         const std::string& stream);

}  // namespace switchyard::mapping
