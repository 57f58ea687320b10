// switchyard recopy: one table again while the stream goes on, or everything after changes were
// lost.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddRecopy(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
