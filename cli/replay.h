// switchyard replay: the replay role as a process of its own.
#pragma once

#include <CLI/App.hpp>

#include "cli/command.h"

namespace switchyard::cli {

void AddReplay(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
