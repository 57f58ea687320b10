// switchyard status: what every stream is doing, from the databases alone.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddStatus(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
