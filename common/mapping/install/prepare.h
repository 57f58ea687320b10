// From a migration file to a compiled mapping that is installed on its target: what every role
// that applies does first.
//
//   ASSIGN_OR_RETURN(PreparedMapping prepared, PrepareMapping(file, options, cancel));
//
// The source is only needed the first time and for `refresh`: afterwards its catalogue, as it was
// when the stream was installed, is kept in the target, so that a replayer can start while the
// source is down.
#pragma once

#include <string>

#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

struct PreparedMapping {
  catalog::Catalog source;
  Plan plan;
};

struct PrepareOptions {
  // Read the source's catalogue again and replace an older mapping (`resume`).
  bool refresh = false;
};

// InvalidArgument: faults in the mapping, one a line. FailedPrecondition: see VerifyTarget,
// VerifyAfterCopy and InstallTarget.
absl::StatusOr<PreparedMapping> PrepareMapping(const spec::MigrationFile& file,
                                               const records::Stream& stream,
                                               const PrepareOptions& options, const Cancel& cancel);

// Compiles without installing: for check and plan. Needs both databases.
absl::StatusOr<PreparedMapping> CompileMapping(const spec::MigrationFile& file,
                                               const records::Stream& stream, const Cancel& cancel);

// Enums of the mirror learn the values that the source's gained since: true when one did. Needs
// both databases.
absl::StatusOr<bool> LearnValues(const records::Stream& stream, const Cancel& cancel);

}  // namespace switchyard::mapping
