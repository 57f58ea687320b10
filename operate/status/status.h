// What every stream of a migration is doing. Works with no role running; changes nothing.
//
//   ASSIGN_OR_RETURN(StatusReport report, Status(file, cancel));
//
//   StatusWatch watch(file, cancel);
//   StatusReport now = watch.Next();   // again and again
//
// What can't be asked is unknown in the report, which says why.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/status.h"
#include "operate/status/gather.h"

namespace switchyard::operate {

// Two looks, a second apart, for the rates. Cancelled.
absl::StatusOr<StatusReport> Status(const spec::MigrationFile& file, const Cancel& cancel);

// Thread-compatible.
class StatusWatch {
 public:
  // Both must outlive it.
  StatusWatch(const spec::MigrationFile& file, const Cancel& cancel);

  // Rates are those since the last call; after the first one they are unknown.
  StatusReport Next();

 private:
  const spec::MigrationFile& file_;
  std::vector<StreamGatherer> gatherers_;  // of each stream of the file
  std::vector<StreamFacts> last_;
};

}  // namespace switchyard::operate
