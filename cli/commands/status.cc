#include "cli/commands/status.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "cli/commands/terminal.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"
#include "operate/report/status.h"
#include "operate/status/status.h"

namespace switchyard::cli {
namespace {

constexpr char kIntervalDefault[] = "1s";
// Above the report on a screen, and the row below that stays free.
constexpr int kHeadLines = 3;

struct StatusOptions {
  std::string path;
  bool watch = false;
  std::optional<std::string> interval;
};

// 3: a database or the log did not answer; 1: a person must act; else 0.
ExitCode CodeFor(const operate::StatusReport& report) {
  ExitCode code = ExitCode::kDone;
  for (const operate::StreamStatus& stream : report.streams) {
    if (!stream.errors.empty()) return ExitCode::kUnavailable;
    if (operate::NeedsAPerson(stream)) code = ExitCode::kNo;
  }
  return code;
}

absl::StatusOr<ExitCode> Once(const spec::MigrationFile& file, const Context& context) {
  ASSIGN_OR_RETURN(const operate::StatusReport report, operate::Status(file, context.cancel));
  context.out << (context.json ? operate::StatusJson(report, /*compact=*/false)
                               : operate::StatusText(report, {.color = AskTerminal().color}));
  return CodeFor(report);
}

void Draw(const operate::StatusReport& report, const Context& context) {
  const Terminal terminal = AskTerminal();
  if (context.json) {
    context.out << operate::StatusJson(report, /*compact=*/true);
  } else if (terminal.present) {
    const std::string text = absl::StrFormat(
        "%s   %s\n\n%s", report.migration,
        absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone()),
        operate::StatusText(report,
                            {.color = terminal.color, .lines_max = terminal.rows - kHeadLines}));
    context.out << ScreenOver(text, terminal.columns, terminal.rows);
  } else {
    context.out << operate::StatusText(report, {}) << "\n";
  }
  context.out.flush();
}

// Ends when the person does, with success.
absl::StatusOr<ExitCode> Watch(const spec::MigrationFile& file, absl::Duration interval,
                               const Context& context) {
  if (!context.json && AskTerminal().present) {
    context.out << "\x1b[2J";
    SetLogLevel(LogLevel::kWarn);  // "shutting down" would be written over the last screen
  }
  operate::StatusWatch watch(file, context.cancel);
  do {
    const operate::StatusReport report = watch.Next();
    if (context.cancel.requested()) break;  // it may know of the end only
    Draw(report, context);
  } while (context.out.good() && context.cancel.WaitFor(interval));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> RunStatus(const StatusOptions& options, const Context& context) {
  if (options.interval.has_value() && !options.watch) {
    return absl::InvalidArgumentError("--interval goes with --watch only");
  }
  const std::string interval_text = options.interval.value_or(kIntervalDefault);
  const std::optional<absl::Duration> interval = spec::ParseDurationText(interval_text);
  if (!interval.has_value() || *interval < absl::Milliseconds(100)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--interval is \"", interval_text, "\"; it must be a time of 100ms or more, as in 2s"));
  }
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  return options.watch ? Watch(file, *interval, context) : Once(file, context);
}

}  // namespace

void AddStatus(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "status", "Show every stream: state, lag, copy progress, rates, quarantine, log, slot");
  auto options = std::make_shared<StatusOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_flag("--watch", options->watch, "Go on showing it until interrupted");
  command->add_option("--interval", options->interval, "Of --watch")
      ->type_name("TIME")
      ->default_str(kIntervalDefault);
  command->footer(
      "Asks the databases and the log: works while no role runs.\n"
      "Ends with 1 when a person must act: a stream is stopped, a role does not run, a table is\n"
      "suspect or can't be copied, rows wait in quarantine; with 3 when one does not answer.\n"
      "Examples:\n"
      "  switchyard status studio.yaml\n"
      "  switchyard status studio.yaml --watch --interval 5s\n"
      "  switchyard status studio.yaml --json | jq '.streams[0].lag_seconds'");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunStatus(*options, context); };
  });
}

}  // namespace switchyard::cli
