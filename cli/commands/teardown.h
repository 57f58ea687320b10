// `switchyard teardown`: the end of a migration, or of a try at one.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddTeardown(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
