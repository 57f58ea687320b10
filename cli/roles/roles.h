// switchyard capture, replay and run: the roles as processes of their own, and both in one.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddCapture(CLI::App& app, Chosen* chosen);
void AddReplay(CLI::App& app, Chosen* chosen);
void AddRun(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
