// Copying again: one table while the stream goes on, or everything after changes were lost.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/recopy_report.h"

namespace switchyard::operate {

struct RecopyOptions {
  std::string table;  // of OLD, as people write it: "users", "public.users"
  // Until it is swapped in; none: nobody waits.
  std::optional<absl::Duration> wait;
};

// Asks for a copy of one table, or finds the one that is asked for already. InvalidArgument: no
// mapping reads such a table. FailedPrecondition: the stream has not begun, the table is another
// than the one that is mapped, or the copy failed. DeadlineExceeded: `wait` was too short; it
// stays asked for.
absl::StatusOr<RecopyReport> Recopy(const spec::MigrationFile& file, const RecopyOptions& options,
                                    const Cancel& cancel);

// Empties NEW's mapped tables and forgets what was streamed, so that the next start makes a new
// slot and copies everything. FailedPrecondition, and nothing is changed: a role runs, the stream
// has not begun, or OLD has no tables of Switchyard.
absl::StatusOr<RecopyAllReport> RecopyAll(const spec::MigrationFile& file, const Cancel& cancel);

}  // namespace switchyard::operate
