#include "cli/commands/plan.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "common/base/finding.h"
#include "common/spec/migration_file.h"
#include "operate/plan.h"
#include "operate/report/plan_report.h"

namespace switchyard::cli {
namespace {

absl::StatusOr<ExitCode> RunPlan(const std::string& path, bool sql, const Context& context) {
  if (sql && context.json) {
    return WithNextStep(absl::InvalidArgumentError("plan --sql prints SQL"),
                        "leave out --json or --sql");
  }
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  if (sql) {
    ASSIGN_OR_RETURN(const std::string text, operate::DescribePlanSql(file, context.cancel));
    context.out << text;
    return ExitCode::kDone;
  }
  ASSIGN_OR_RETURN(const operate::PlanReport report, operate::DescribePlan(file, context.cancel));
  context.out << (context.json ? PlanReportJson(report) : PlanReportText(report));
  return ExitCode::kDone;
}

}  // namespace

void AddPlan(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "plan", "Show how each table of NEW comes about, what is mirrored and what nobody reads");
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  auto sql = std::make_shared<bool>(false);
  command->add_flag("--sql", *sql, "Print every statement that NEW will run, instead");
  command->footer(
      "Asks both databases, changes nothing.\n"
      "Examples:\n"
      "  switchyard plan studio.yaml\n"
      "  switchyard plan studio.yaml --sql\n"
      "  switchyard plan studio.yaml --json | jq -r '.unread_columns[]'");
  command->callback([path, sql, chosen] {
    *chosen = [path, sql](const Context& context) { return RunPlan(*path, *sql, context); };
  });
}

}  // namespace switchyard::cli
