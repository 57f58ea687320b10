// switchyard resume: takes the migration file as it is now for a stream that stopped over a change.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddResume(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
