#include "cli/replay.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/event_log.h"
#include "cli/replay_role.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {
namespace {

absl::StatusOr<ExitCode> RunReplay(const std::string& path, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  ASSIGN_OR_RETURN(const auto log, OpenLog(file, context.cancel));
  return RoleEnd(RunReplayRole(file, *log, context.cancel));
}

}  // namespace

void AddReplay(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand("replay", "Apply the log to NEW, until told to end");
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  command->footer(
      "Start two for one stream: one works, the other stands by.\n"
      "Ends with 0 after SIGTERM, with 1 when a person must act (the reason is in its log and in\n"
      "status).\n"
      "Example:\n"
      "  switchyard replay studio.yaml");
  command->callback([path, chosen] {
    *chosen = [path](const Context& context) { return RunReplay(*path, context); };
  });
}

}  // namespace switchyard::cli
