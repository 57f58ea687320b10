// check --rehearse: tries the rules under `from`, declared and derived, on batches made up of
// values of OLD, in a transaction of NEW that is rolled back, and names what they miss.
//
//   ASSIGN_OR_RETURN(RehearsalReport report, Rehearse("studio.yaml", {.seconds_max = 60}, cancel));
//
// OLD: one bounded read of each table. NEW: the right to make temporary tables, nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/check/rehearse/report.h"

namespace switchyard::operate {

struct RehearseOptions {
  std::optional<uint64_t> seed;  // none: another one each time
  int64_t batches_max = 1000;
  double seconds_max = 60;
  int faults_max = 20;      // ends then
  bool show_values = true;  // keys and scopes
};

// InvalidArgument: the file, or its mapping, has faults. Unavailable: a database can't be asked.
absl::StatusOr<RehearsalReport> Rehearse(const std::string& path, const RehearseOptions& options,
                                         const Cancel& cancel);
// Of a file that was read already.
absl::StatusOr<RehearsalReport> Rehearse(const spec::MigrationFile& file,
                                         const RehearseOptions& options, const Cancel& cancel);

}  // namespace switchyard::operate
