// Holding NEW against OLD, row by row, while both are at work.
//
//   ASSIGN_OR_RETURN(VerifyReport report, Verify(file, {.table = "orders"}, cancel));
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/verify/verify_report.h"
#include "verify/progress.h"

namespace switchyard::operate {

struct VerifyOptions {
  std::string table;                // one table, and what it is made of; empty: all
  int64_t rows_per_second_max = 0;  // read of each database; 0: as fast as it goes
  bool repair = false;              // what differs is asked to be made good
  verify::ProgressTeller::Told progress;
};

// What could not be compared is inconclusive in the report. NotFound: no such table is mapped.
// Unavailable: a database does not answer. Cancelled.
absl::StatusOr<VerifyReport> Verify(const spec::MigrationFile& file, const VerifyOptions& options,
                                    const Cancel& cancel);

// What the last comparison of a table found. NotFound: there was none.
absl::StatusOr<DifferencesReport> ShowDifferences(const spec::MigrationFile& file,
                                                  const std::string& table, const Cancel& cancel);

}  // namespace switchyard::operate
