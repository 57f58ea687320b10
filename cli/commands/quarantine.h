// switchyard quarantine: rows NEW refused, to look at and to try again.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddQuarantine(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
