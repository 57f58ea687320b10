#include "cli/commands/breach.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/spec/migration_file.h"
#include "operate/mend/breach.h"
#include "operate/report/breach_report.h"

namespace switchyard::cli {
namespace {

constexpr int64_t kLimit = 100;  // of each stream
constexpr char kList[] = "list";

struct BreachOptions {
  std::string path;
  std::string action;
};

absl::StatusOr<ExitCode> RunBreach(BreachOptions options, const Context& context) {
  if (options.path == kList) std::swap(options.path, options.action);  // in either order
  if (options.action != kList) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", options.action,
                     "\" is no action; it must be list, as in: switchyard breach FILE list"));
  }
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  ASSIGN_OR_RETURN(const operate::BreachReport report,
                   operate::ListBreaches(file, kLimit, context.cancel));
  context.out << (context.json ? BreachJson(report) : BreachText(report));
  return report.total == 0 ? ExitCode::kDone : ExitCode::kNo;
}

}  // namespace

void AddBreach(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("breach", "Show what was written to the side that did not own");
  auto options = std::make_shared<BreachOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("ACTION", options->action, "list")->required()->type_name("{list}");
  command->footer(
      "The mirror has taken such a change, and the other side has not.\n"
      "Ends with 0 when there is none, else with 1.\n"
      "Example:\n"
      "  switchyard breach studio.yaml list");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunBreach(*options, context); };
  });
}

}  // namespace switchyard::cli
