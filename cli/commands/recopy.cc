#include "cli/commands/recopy.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"
#include "operate/mend/recopy.h"
#include "operate/report/recopy_report.h"

namespace switchyard::cli {
namespace {

struct RecopyOptions {
  std::string path;
  std::string table;
  bool all = false;
  std::string wait;
};

absl::StatusOr<ExitCode> RecopyTable(const spec::MigrationFile& file, const RecopyOptions& options,
                                     const Context& context) {
  operate::RecopyOptions asked = {.table = options.table};
  if (!options.wait.empty()) {
    asked.wait = spec::ParseDurationText(options.wait);
    if (!asked.wait.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--wait is \"", options.wait, "\"; it must be a time, as in 10m"));
    }
  }
  ASSIGN_OR_RETURN(const operate::RecopyReport report,
                   operate::Recopy(file, asked, context.cancel));
  context.out << (context.json ? RecopyJson(report) : RecopyText(report));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> RecopyAll(const spec::MigrationFile& file, const Context& context) {
  ASSIGN_OR_RETURN(const operate::RecopyAllReport report, operate::RecopyAll(file, context.cancel));
  context.out << (context.json ? RecopyAllJson(report) : RecopyAllText(report));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> RunRecopy(const RecopyOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  if (options.all == !options.table.empty()) {
    return absl::InvalidArgumentError("say which TABLE of OLD to copy again, or --all");
  }
  return options.all ? RecopyAll(file, context) : RecopyTable(file, options, context);
}

}  // namespace

void AddRecopy(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "recopy", "Copy one table again while streaming, or everything after changes were lost");
  auto options = std::make_shared<RecopyOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("TABLE", options->table, "A table of OLD that a mapping reads")
      ->type_name("");
  command->add_flag("--all", options->all,
                    "Empty NEW's mapped tables and begin again, with a new slot");
  command->add_option("--wait", options->wait, "Of TABLE: until it is swapped in. Default: not")
      ->type_name("TIME")
      ->excludes("--all");
  command->footer(
      "TABLE is loaded beside the live rows, rolled forward and swapped in as one difference; the\n"
      "other tables do not wait. --all wants capture and replay to have ended.\n"
      "Ends with 0 when it is asked for (or done, with --wait), with 4 when --wait was too short;\n"
      "asked again, it goes on waiting for the same copy.\n"
      "Examples:\n"
      "  switchyard recopy studio.yaml customers\n"
      "  switchyard recopy studio.yaml public.customers --wait 10m\n"
      "  switchyard recopy studio.yaml --all        after the slot or the log was lost");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunRecopy(*options, context); };
  });
}

}  // namespace switchyard::cli
