// Every fault of the migration file, of both databases and of the log, found at once.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "operate/report/check_report.h"

namespace switchyard::operate {

struct CheckOptions {
  bool offline = false;  // of the file only: neither database nor log is asked
};

// Takes the file's path, since a file with faults is looked at as far as it can be read. An error
// only when there is no report: no such file, Cancelled, a connection lost on the way.
absl::StatusOr<CheckReport> Check(const std::string& path, const CheckOptions& options,
                                  const Cancel& cancel);

}  // namespace switchyard::operate
