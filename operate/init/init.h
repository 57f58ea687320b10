// A first migration file from both catalogues: what `switchyard init` writes.
//
//   ASSIGN_OR_RETURN(InitReport report, Init({.old_db = "OLD_DSN", .new_db = "NEW_DSN"}, cancel));
//
// Thread safety: functions over values.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "operate/report/init_report.h"

namespace switchyard::operate {

struct InitOptions {
  // Each the name of an environment variable, or of a file, that holds a connection string.
  std::string old_db, new_db;
  std::string migration;  // empty: after OLD's database
  std::string output;     // the file it will stand in, seen from which others are named; or empty
};

// Changes neither database and writes no file. InvalidArgument: a name that is neither a variable
// nor a file, or a connection string in its place (which no message repeats). Unavailable: a
// database gave no answer.
absl::StatusOr<InitReport> Init(const InitOptions& options, const Cancel& cancel);

}  // namespace switchyard::operate
