// Shell completion, generated from the parser itself.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>

#include "cli/commands/command.h"

namespace switchyard::cli {

// A script for "bash", "zsh" or "fish" that completes every subcommand and option of `app`.
// InvalidArgument for another shell.
absl::StatusOr<std::string> CompletionScript(const CLI::App& app, std::string_view shell);

void AddCompletion(CLI::App& app, Chosen* chosen);

}  // namespace switchyard::cli
