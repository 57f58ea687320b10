#include "cli/commands/check.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "common/spec/migration_file.h"
#include "operate/check/check.h"
#include "operate/report/check_report.h"
#include "operate/report/setup_report.h"
#include "operate/setup/setup.h"

namespace switchyard::cli {
namespace {

struct CheckOptions {
  std::string path;
  bool offline = false;
  bool print_setup = false;
  bool print_setup_new = false;
  std::string role;
};

// A mistake goes before a database that can't be asked, and that before what a
// database still lacks: the first is mended first.
ExitCode CodeFor(const operate::CheckReport& report) {
  ExitCode code = report.ok() ? ExitCode::kDone : ExitCode::kNo;
  for (const operate::CheckFault& fault : report.faults) {
    if (fault.kind == operate::CheckFault::Kind::kMistake) return ExitCode::kUsage;
    if (fault.kind == operate::CheckFault::Kind::kUnreachable) code = ExitCode::kUnavailable;
  }
  return code;
}

absl::StatusOr<ExitCode> RunCheck(const CheckOptions& options, const Context& context) {
  if (!options.role.empty()) {
    return absl::InvalidArgumentError(
        "--role goes with --print-setup or --print-setup-new; check looks as the roles log in");
  }
  ASSIGN_OR_RETURN(const operate::CheckReport report,
                   operate::Check(options.path, {.offline = options.offline}, context.cancel));
  context.out << (context.json ? CheckReportJson(report) : CheckReportText(report));
  return CodeFor(report);
}

absl::StatusOr<ExitCode> PrintSetup(const CheckOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  ASSIGN_OR_RETURN(const operate::SetupReport setup,
                   options.print_setup_new ? operate::NewSetup(file, options.role, context.cancel)
                                           : operate::OldSetup(file, options.role, context.cancel));
  context.out << (context.json ? SetupJson(setup) : setup.sql);
  return ExitCode::kDone;
}

}  // namespace

void AddCheck(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "check", "Find every fault of the migration file, of both databases and of the log");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  CLI::Option* offline = command->add_flag("--offline", options->offline,
                                           "Check the file only, ask neither database nor log");
  command
      ->add_flag("--print-setup", options->print_setup,
                 "Print the SQL that OLD's owner runs once: schema, role, grants, publication")
      ->excludes(offline);
  command
      ->add_flag("--print-setup-new", options->print_setup_new,
                 "Print the SQL that NEW's owner runs once: schemas, role, grants")
      ->excludes("--print-setup")
      ->excludes(offline);
  command
      ->add_option(
          "--role", options->role,
          "The role to print the setup for. Default: who the connection string logs in as; if "
          "that is a superuser or an owner, switchyard_capture or switchyard_replay")
      ->type_name("ROLE");
  command->footer(
      "Examples:\n"
      "  switchyard check studio.yaml --print-setup > old.sql       for OLD's owner to run\n"
      "  switchyard check studio.yaml --print-setup-new > new.sql   for NEW's owner\n"
      "  switchyard check studio.yaml             before anything else\n"
      "  switchyard check studio.yaml --offline   in a pipeline without databases");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) {
      const bool print = options->print_setup || options->print_setup_new;
      return print ? PrintSetup(*options, context) : RunCheck(*options, context);
    };
  });
}

}  // namespace switchyard::cli
