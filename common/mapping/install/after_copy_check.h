// Whether the `after_copy` steps can be run, and by the session's role, as far as their text tells:
// found before a copy of hours, not after it.
#pragma once

#include <vector>

#include "common/base/finding.h"
#include "common/base/status.h"
#include "common/mapping/install/target_setup.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

// Tables and columns that are not there, unless a statement before may have made them; tables that
// are altered or indexed without being owned, schemas where no index may be made, tables that may
// not be referenced; and constraints that would not hold while rows are applied. Nothing when the
// stream's copy is loaded already: the steps have run.
absl::StatusOr<std::vector<Finding>> VerifyAfterCopy(pg::Session& session,
                                                     const std::vector<spec::SchemaStep>& steps,
                                                     const records::Stream& stream);

}  // namespace switchyard::mapping
