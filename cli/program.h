// The command line as a function: parses, runs the chosen subcommand, prints its error.
#pragma once

#include <ostream>

#include "cli/commands/exit_code.h"
#include "common/base/wait/cancel.h"

namespace switchyard::cli {

// `out` gets results, `err` errors and usage. Never throws.
ExitCode RunProgram(int argc, const char* const* argv, const Cancel& cancel, std::ostream& out,
                    std::ostream& err);

}  // namespace switchyard::cli
