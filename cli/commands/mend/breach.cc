#include "cli/commands/mend/breach.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"
#include "operate/mend/breach.h"
#include "operate/report/mend/breach_report.h"

namespace switchyard::cli {
namespace {

constexpr int64_t kLimit = 100;  // of each stream
constexpr char kList[] = "list";
constexpr char kApply[] = "apply";
constexpr char kWaitDefault[] = "30s";

struct BreachOptions {
  std::string path;
  std::string action;
  std::optional<std::string> id;
  std::string wait = kWaitDefault;
};

bool IsAction(const std::string& word) { return word == kList || word == kApply; }

absl::StatusOr<ExitCode> List(const spec::MigrationFile& file, const Context& context) {
  ASSIGN_OR_RETURN(const operate::BreachReport report,
                   operate::ListBreaches(file, kLimit, context.cancel));
  context.out << (context.json ? BreachJson(report) : BreachText(report));
  return report.total == 0 ? ExitCode::kDone : ExitCode::kNo;
}

absl::StatusOr<ExitCode> RunBreach(BreachOptions options, const Context& context) {
  if (IsAction(options.path)) std::swap(options.path, options.action);  // in either order
  if (!IsAction(options.action)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", options.action,
                     "\" is no action; it must be list or apply, as in: switchyard breach FILE "
                     "list"));
  }
  const bool list = options.action == kList;
  if (list == options.id.has_value()) {
    return absl::InvalidArgumentError(
        "an ID goes with apply, as in: switchyard breach FILE apply forward-3; list names them");
  }
  const std::optional<absl::Duration> wait = spec::ParseDurationText(options.wait);
  if (!wait.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--wait is \"", options.wait, "\"; it must be a time, as in 30s"));
  }
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  if (list) return List(file, context);
  ASSIGN_OR_RETURN(const operate::BreachApplied applied,
                   operate::ApplyBreach(file, *options.id, *wait, context.cancel));
  context.out << (context.json ? BreachAppliedJson(applied) : BreachAppliedText(applied));
  return ExitCode::kDone;
}

}  // namespace

void AddBreach(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "breach", "Show what was written to the side that did not own, or make it on the other");
  auto options = std::make_shared<BreachOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("ACTION", options->action, "list or apply")
      ->required()
      ->type_name("{list,apply}");
  command->add_option("ID", options->id, "Of apply: which one, as list names it")->type_name("");
  command->add_option("--wait", options->wait, "Of apply: for the replayer's answer")
      ->type_name("TIME")
      ->default_str(kWaitDefault);
  command->footer(
      "The mirror has taken such a change, and the other side has not. apply makes it there, as "
      "if\n"
      "it were the application's; what the other side refuses of it is parked.\n"
      "list ends with 0 when there is none, else with 1. apply ends with 0 once it is done, with "
      "4\n"
      "when no replayer answered in time.\n"
      "Examples:\n"
      "  switchyard breach studio.yaml list\n"
      "  switchyard breach studio.yaml apply forward-3");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunBreach(*options, context); };
  });
}

}  // namespace switchyard::cli
