// switchyard plan: how each table of NEW comes about.
#pragma once

#include <CLI/App.hpp>

#include "cli/commands/command.h"

namespace switchyard::cli {

void AddPlan(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
