// What the program's end says to scripts: one table, for every command.
#pragma once

#include <string_view>

#include "common/base/status.h"

namespace switchyard::cli {

enum class ExitCode {
  kDone = 0,          // done, or yes
  kNo = 1,            // no: not ready, different, refused, stopped
  kUsage = 2,         // a mistake on the command line or in the migration file
  kUnavailable = 3,   // a database or the log can't be reached, or refuses the login
  kInconclusive = 4,  // could not be decided in the time allowed
  kAmbiguous = 5,     // an answer was lost: what happened is unknown, a person looks
};

ExitCode ExitCodeFor(const absl::Status& status);

// "done", "no", "usage", "unavailable", "inconclusive", "ambiguous": the words of --json.
std::string_view ExitCodeWord(ExitCode code);

}  // namespace switchyard::cli
