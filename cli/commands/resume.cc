#include "cli/commands/resume.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "common/spec/migration_file.h"
#include "operate/mend/resume.h"
#include "operate/report/resume_report.h"

namespace switchyard::cli {
namespace {

absl::StatusOr<ExitCode> RunResume(const std::string& path, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  ASSIGN_OR_RETURN(const operate::ResumeReport report, operate::Resume(file, context.cancel));
  context.out << (context.json ? ResumeJson(report) : ResumeText(report));
  return ExitCode::kDone;
}

}  // namespace

void AddResume(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("resume", "Go on after a change of the migration file or of OLD's tables");
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  command->footer(
      "For a stream that stopped because a column was dropped, renamed or changed its type, or "
      "for\n"
      "a mapping that was changed on purpose. Compares the file with what is installed, replaces\n"
      "what changed, and has its tables copied or derived again. The replayer must have ended.\n"
      "Example:\n"
      "  switchyard resume studio.yaml && switchyard replay studio.yaml");
  command->callback([path, chosen] {
    *chosen = [path](const Context& context) { return RunResume(*path, context); };
  });
}

}  // namespace switchyard::cli
