// What was written to the side that did not own: to look at.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/breach_report.h"

namespace switchyard::operate {

// The first `limit` of each stream, and how many there are. Values of sensitive columns are left
// out. FailedPrecondition: the file has no `reverse`, so that nothing is a breach.
absl::StatusOr<BreachReport> ListBreaches(const spec::MigrationFile& file, int64_t limit,
                                          const Cancel& cancel);

}  // namespace switchyard::operate
