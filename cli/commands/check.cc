#include "cli/commands/check.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/spec/migration_file.h"
#include "operate/check/check.h"
#include "operate/check/rehearse/rehearsal.h"
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
  bool rehearse = false;
  std::optional<uint64_t> seed;
  std::optional<double> seconds;
  std::optional<int64_t> batches;
  bool quiet_values = false;
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

// A missing rule is a mistake in the file, as those that check finds.
ExitCode CodeFor(operate::RehearsalReport::Verdict verdict) {
  switch (verdict) {
    case operate::RehearsalReport::Verdict::kClean:
      return ExitCode::kDone;
    case operate::RehearsalReport::Verdict::kFaults:
      return ExitCode::kUsage;
    case operate::RehearsalReport::Verdict::kInconclusive:
      break;
  }
  return ExitCode::kInconclusive;
}

absl::StatusOr<ExitCode> RunRehearsal(const CheckOptions& options, const Context& context) {
  operate::RehearseOptions rehearse{.seed = options.seed, .show_values = !options.quiet_values};
  if (options.seconds) rehearse.seconds_max = *options.seconds;
  if (options.batches) rehearse.batches_max = *options.batches;
  ASSIGN_OR_RETURN(const operate::RehearsalReport report,
                   operate::Rehearse(options.path, rehearse, context.cancel));
  context.out << (context.json ? RehearsalJson(report) : RehearsalText(report));
  return CodeFor(report.verdict);
}

absl::StatusOr<ExitCode> PrintSetup(const CheckOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  ASSIGN_OR_RETURN(const operate::SetupReport setup,
                   options.print_setup_new ? operate::NewSetup(file, options.role, context.cancel)
                                           : operate::OldSetup(file, options.role, context.cancel));
  context.out << (context.json ? SetupJson(setup) : setup.sql);
  return ExitCode::kDone;
}

void AddRehearsalOptions(CLI::App* command, CLI::Option* offline, CheckOptions* options) {
  CLI::Option* rehearse =
      command
          ->add_flag("--rehearse", options->rehearse,
                     "Try the rules under from on made-up batches, and name what they miss")
          ->excludes(offline)
          ->excludes("--print-setup")
          ->excludes("--print-setup-new");
  command->add_option("--seed", options->seed, "Of a rehearsal: the same batches again")
      ->type_name("N")
      ->needs(rehearse);
  command->add_option("--seconds", options->seconds, "Of a rehearsal: ends then. Default: 60")
      ->type_name("S")
      ->check(CLI::PositiveNumber)
      ->needs(rehearse);
  command->add_option("--batches", options->batches, "Of a rehearsal: ends then. Default: 1000")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(rehearse);
  command
      ->add_flag("--quiet-values", options->quiet_values,
                 "Of a rehearsal: print neither keys nor scopes, which may be values of OLD")
      ->needs(rehearse);
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
  AddRehearsalOptions(command, offline, options.get());
  command->footer(
      "Examples:\n"
      "  switchyard check studio.yaml --print-setup > old.sql       for OLD's owner to run\n"
      "  switchyard check studio.yaml --print-setup-new > new.sql   for NEW's owner\n"
      "  switchyard check studio.yaml             before anything else\n"
      "  switchyard check studio.yaml --rehearse  does a rule under from miss anything?\n"
      "  switchyard check studio.yaml --offline   in a pipeline without databases");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) {
      const bool print = options->print_setup || options->print_setup_new;
      if (options->rehearse) return RunRehearsal(*options, context);
      return print ? PrintSetup(*options, context) : RunCheck(*options, context);
    };
  });
}

}  // namespace switchyard::cli
