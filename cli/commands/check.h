// switchyard check: every fault of the migration file, then of both databases.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddCheck(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
