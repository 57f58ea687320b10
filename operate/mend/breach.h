// What was written to the side that did not own: to look at, and to make on the other side.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/mend/breach_report.h"

namespace switchyard::operate {

// The first `limit` of each stream, and how many there are. Values of sensitive columns are left
// out. FailedPrecondition: the file has no `reverse`, so that nothing is a breach.
absl::StatusOr<BreachReport> ListBreaches(const spec::MigrationFile& file, int64_t limit,
                                          const Cancel& cancel);

// Has the replayer make the change of breach `id` ("forward-3") on the other side, as if it were
// the application's, and waits for its answer. NotFound: none of that id is open.
// FailedPrecondition: it can't be made again, as the answer says. DeadlineExceeded: no replayer has
// done it yet; it stays asked for.
absl::StatusOr<BreachApplied> ApplyBreach(const spec::MigrationFile& file, const std::string& id,
                                          absl::Duration wait, const Cancel& cancel);

}  // namespace switchyard::operate
