// switchyard init: a first migration file from both catalogues.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddInit(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
