// switchyard verify FILE
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddVerify(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
