// What main and the subcommands agree on.
//
// A subcommand's file gives one function that adds it to the parser. When it is chosen on the
// command line it leaves behind what is to run:
//
//   void AddCheck(CLI::App& app, Chosen* chosen);
#pragma once

#include <functional>
#include <ostream>

#include "cli/commands/exit_code.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"

namespace switchyard::cli {

struct Context {
  bool json = false;  // --json: `out` gets exactly one JSON object (or one per line with --watch)
  std::ostream& out;  // what the command has to say; errors and log lines go elsewhere
  const Cancel& cancel;  // requested by SIGINT and SIGTERM
};

// An error is printed, and mapped to an exit code, by main.
using Command = std::function<absl::StatusOr<ExitCode>(const Context&)>;
using Chosen = Command;

}  // namespace switchyard::cli
