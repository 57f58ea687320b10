#include "cli/commands/quarantine.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"
#include "operate/mend/quarantine.h"
#include "operate/report/quarantine_report.h"

namespace switchyard::cli {
namespace {

constexpr int64_t kLimitDefault = 100;
constexpr char kWaitDefault[] = "30s";

struct QuarantineOptions {
  std::string path;
  std::string action;
  std::optional<int64_t> id;
  std::optional<int64_t> limit;
  std::optional<std::string> wait;
};

absl::StatusOr<ExitCode> List(const spec::MigrationFile& file, const QuarantineOptions& options,
                              const Context& context) {
  ASSIGN_OR_RETURN(
      const operate::QuarantineReport report,
      operate::ListQuarantine(file, options.limit.value_or(kLimitDefault), context.cancel));
  context.out << (context.json ? QuarantineJson(report) : QuarantineText(report));
  return report.total == 0 ? ExitCode::kDone : ExitCode::kNo;
}

absl::StatusOr<ExitCode> Show(const spec::MigrationFile& file, const QuarantineOptions& options,
                              const Context& context) {
  ASSIGN_OR_RETURN(const operate::QuarantineReport report,
                   operate::ShowQuarantine(file, *options.id, context.cancel));
  context.out << (context.json ? QuarantineJson(report) : QuarantineText(report));
  return ExitCode::kNo;
}

absl::StatusOr<ExitCode> Retry(const spec::MigrationFile& file, const QuarantineOptions& options,
                               const Context& context) {
  const std::string wait_text = options.wait.value_or(kWaitDefault);
  const std::optional<absl::Duration> wait = spec::ParseDurationText(wait_text);
  if (!wait.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--wait is \"", wait_text, "\"; it must be a time, as in 30s"));
  }
  ASSIGN_OR_RETURN(const operate::QuarantineRetryReport report,
                   operate::RetryQuarantine(file, options.id, *wait, context.cancel));
  context.out << (context.json ? QuarantineRetryJson(report) : QuarantineRetryText(report));
  return report.nothing_left ? ExitCode::kDone : ExitCode::kNo;
}

bool IsAction(const std::string& word) {
  return word == "list" || word == "show" || word == "retry";
}

absl::Status CheckOptions(const QuarantineOptions& options) {
  if (!IsAction(options.action)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", options.action,
                     "\" is no action; it must be list, show or retry, as in: switchyard "
                     "quarantine FILE list"));
  }
  if (!options.id.has_value() && options.action == "show") {
    return absl::InvalidArgumentError(
        "show wants an ID, as in: switchyard quarantine FILE show 17; list names them");
  }
  if (options.id.has_value() && options.action == "list") {
    return absl::InvalidArgumentError("an ID goes with show and retry; list shows every entry");
  }
  if (options.wait.has_value() && options.action != "retry") {
    return absl::InvalidArgumentError("--wait goes with retry only; list waits for nobody");
  }
  if (options.limit.has_value() && options.action != "list") {
    return absl::InvalidArgumentError(
        "--limit goes with list only; retry takes every entry, or the one whose ID is given");
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunQuarantine(QuarantineOptions options, const Context& context) {
  // In either order.
  if (IsAction(options.path)) std::swap(options.path, options.action);
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  return options.action == "list"   ? List(file, options, context)
         : options.action == "show" ? Show(file, options, context)
                                    : Retry(file, options, context);
}

CLI::Validator PositiveWhole() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        int64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number > 0) return "";
        return absl::StrCat("\"", text, "\" is no whole number of 1 or more");
      },
      "");
}

}  // namespace

void AddQuarantine(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("quarantine", "Show the rows NEW refused, or try them again");
  auto options = std::make_shared<QuarantineOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("ACTION", options->action, "list, show or retry")
      ->required()
      ->type_name("{list,show,retry}");
  command->add_option("ID", options->id, "Of show: the entry. Of retry: one only; default: all")
      ->check(PositiveWhole())
      ->type_name("");
  command->add_option("--limit", options->limit, "Of list: show at most so many")
      ->check(PositiveWhole())
      ->type_name("N")
      ->default_str(std::to_string(kLimitDefault));
  command->add_option("--wait", options->wait, "Of retry: for the replayer's answer")
      ->type_name("TIME")
      ->default_str(kWaitDefault);
  command->footer(
      "show tells the row of one entry, which list leaves out.\n"
      "list ends with 0 when the quarantine is empty, else with 1. retry ends with 0 when nothing\n"
      "is left, with 1 when something is, with 4 when no replayer answered in time.\n"
      "Examples:\n"
      "  switchyard quarantine studio.yaml list\n"
      "  switchyard quarantine studio.yaml show 17\n"
      "  switchyard quarantine studio.yaml retry       after the cause is mended\n"
      "  switchyard quarantine studio.yaml retry 17");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunQuarantine(*options, context); };
  });
}

}  // namespace switchyard::cli
