// The rows NEW refused: to look at, and to try again.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/quarantine_report.h"

namespace switchyard::operate {

// The first `limit` entries, and how many there are. FailedPrecondition: the stream has not begun.
absl::StatusOr<QuarantineReport> ListQuarantine(const spec::MigrationFile& file, int64_t limit,
                                                const Cancel& cancel);

// Entry `id` with its rows. NotFound: no such entry.
absl::StatusOr<QuarantineReport> ShowQuarantine(const spec::MigrationFile& file, int64_t id,
                                                const Cancel& cancel);

// Has the replayer try entry `id`, or all of them, and waits for its answer. NotFound: no such
// entry. DeadlineExceeded: no replayer has done it yet, or none runs; it stays asked for.
absl::StatusOr<QuarantineRetryReport> RetryQuarantine(const spec::MigrationFile& file,
                                                      std::optional<int64_t> id,
                                                      absl::Duration wait, const Cancel& cancel);

}  // namespace switchyard::operate
