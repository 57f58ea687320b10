// switchyard breach FILE list: what was written to the side that did not own.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddBreach(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
