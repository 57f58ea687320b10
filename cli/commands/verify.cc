#include "cli/commands/verify.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "cli/commands/terminal.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "operate/report/human.h"
#include "operate/report/verify/verify_report.h"
#include "operate/verify/verify.h"

namespace switchyard::cli {
namespace {

struct VerifyOptions {
  std::string path;
  std::string table;
  std::string show;
  std::string throttle;
  bool repair = false;
};

ExitCode CodeFor(records::Verdict verdict) {
  switch (verdict) {
    case records::Verdict::kClean:
      return ExitCode::kDone;
    case records::Verdict::kDifferent:
      return ExitCode::kNo;
    case records::Verdict::kInconclusive:
      return ExitCode::kInconclusive;
  }
  return ExitCode::kInconclusive;
}

std::string ProgressText(const verify::Progress& progress) {
  std::string out = absl::StrFormat("%d of %d  %s  %s rows", progress.place, progress.tables,
                                    progress.table, operate::HumanCount(progress.rows));
  if (progress.rows_all > 0) {
    absl::StrAppend(&out, " of about ", operate::HumanCount(progress.rows_all));
  }
  absl::StrAppend(&out, ", ", operate::HumanCount(static_cast<int64_t>(progress.rows_per_second)),
                  " rows/s");
  if (progress.left.has_value()) {
    absl::StrAppend(&out, ", about ", operate::HumanDuration(*progress.left), " left");
  }
  return out;
}

// On a terminal one line is written over and over; elsewhere progress goes to the log.
verify::ProgressTeller::Told Teller(const Context& context) {
  if (context.json || !AskTerminal().present) {
    return [](const verify::Progress& progress) {
      LogInfo("verify", "comparing", {{"at", ProgressText(progress)}});
    };
  }
  return [&context](const verify::Progress& progress) {
    context.out << "\r\x1b[K" << ProgressText(progress);
    context.out.flush();
  };
}

absl::StatusOr<ExitCode> Show(const spec::MigrationFile& file, const VerifyOptions& options,
                              const Context& context) {
  ASSIGN_OR_RETURN(const operate::DifferencesReport report,
                   operate::ShowDifferences(file, options.show, context.cancel));
  context.out << (context.json ? operate::DifferencesJson(report)
                               : operate::DifferencesText(report));
  records::Verdict verdict = records::Verdict::kClean;
  for (const auto& result : report.results) verdict = std::max(verdict, result.verdict);
  return CodeFor(verdict);
}

absl::StatusOr<ExitCode> RunVerify(const VerifyOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  if (!options.show.empty()) return Show(file, options, context);
  operate::VerifyOptions asked = {
      .table = options.table, .repair = options.repair, .progress = Teller(context)};
  if (!options.throttle.empty() &&
      (!absl::SimpleAtoi(options.throttle, &asked.rows_per_second_max) ||
       asked.rows_per_second_max <= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--throttle is \"", options.throttle,
                     "\"; it must be rows per second, a whole number, as in 20000"));
  }
  ASSIGN_OR_RETURN(const operate::VerifyReport report,
                   operate::Verify(file, asked, context.cancel));
  if (!context.json && AskTerminal().present) context.out << "\r\x1b[K";
  context.out << (context.json ? operate::VerifyJson(report) : operate::VerifyText(report));
  return CodeFor(report.verdict);
}

}  // namespace

void AddVerify(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("verify", "Hold every row of NEW against OLD, while both are at work");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("--table", options->table, "Only this table, and what it is made of")
      ->type_name("TABLE");
  command
      ->add_option("--show", options->show,
                   "Compare nothing: show all rows of this table that differed the last time")
      ->type_name("TABLE")
      ->excludes("--table");
  command
      ->add_option("--throttle", options->throttle,
                   "Read at most so many rows per second of each database")
      ->type_name("RATE")
      ->excludes("--show");
  command->add_flag("--repair", options->repair, "Have what differs computed or copied again")
      ->excludes("--show");
  command->footer(
      "Both databases are seen as of one LSN of OLD, for which the replayer is held some\n"
      "milliseconds; what is written meanwhile disturbs nothing. Needs capture and replay "
      "running.\n"
      "A pass that was cut short goes on where it was, if it began within a day.\n"
      "Ends with 0 when all is equal, with 1 when something differs, with 4 when not all could be\n"
      "compared, and says why.\n"
      "Examples:\n"
      "  switchyard verify studio.yaml\n"
      "  switchyard verify studio.yaml --table public.users\n"
      "  switchyard verify studio.yaml --show public.users\n"
      "  switchyard verify studio.yaml --repair           then verify again\n"
      "  switchyard verify studio.yaml --throttle 20000   spares both databases");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunVerify(*options, context); };
  });
}

}  // namespace switchyard::cli
