#include "cli/quarantine.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "capture/source_setup.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"
#include "operate/connect.h"
#include "operate/report/quarantine_report.h"
#include "operate/request.h"

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

// All, or the one of `id` with its rows.
absl::StatusOr<operate::QuarantineReport> Load(pg::Session& session, const std::string& stream,
                                               std::optional<int64_t> id, int64_t limit) {
  operate::QuarantineReport report = {.stream = stream};
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(R"(
    SELECT id, target, scope, operation, lsn, sqlstate, error, events,
           (extract(epoch FROM first_seen) * 1000000)::bigint,
           (extract(epoch FROM last_seen) * 1000000)::bigint, count(*) OVER (),
           CASE WHEN id = $3 THEN image END, CASE WHEN id = $3 THEN before END
    FROM switchyard.quarantine WHERE stream = $1 AND ($3::bigint IS NULL OR id = $3)
    ORDER BY id LIMIT $2::bigint)",
                    {stream, std::to_string(limit),
                     id.has_value() ? pg::Param(std::to_string(*id)) : std::nullopt}));
  for (int i = 0; i < rows.rows(); ++i) {
    report.entries.push_back({.id = rows.i64(i, 0),
                              .table = rows.str(i, 1),
                              .scope = rows.str(i, 2),
                              .operation = rows.str(i, 3),
                              .lsn = rows.str(i, 4),
                              .sqlstate = rows.str(i, 5),
                              .error = rows.str(i, 6),
                              .events = rows.i64(i, 7),
                              .first_seen = absl::FromUnixMicros(rows.i64(i, 8)),
                              .last_seen = absl::FromUnixMicros(rows.i64(i, 9)),
                              .image = rows.str(i, 11),
                              .before = rows.str(i, 12)});
    report.total = rows.i64(i, 10);
  }
  return report;
}

absl::StatusOr<ExitCode> List(pg::Session& session, const std::string& stream,
                              const QuarantineOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const operate::QuarantineReport report,
                   Load(session, stream, {}, options.limit.value_or(kLimitDefault)));
  context.out << (context.json ? QuarantineJson(report) : QuarantineText(report));
  return report.total == 0 ? ExitCode::kDone : ExitCode::kNo;
}

absl::Status RequireEntry(pg::Session& session, const std::string& stream, int64_t id) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   session.Query("SELECT FROM switchyard.quarantine WHERE stream = $1 AND id = $2",
                                 {stream, std::to_string(id)}));
  if (row.rows() > 0) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrFormat("the quarantine of %s holds no entry %d (any more); look with: switchyard "
                      "quarantine FILE list",
                      stream, id));
}

absl::StatusOr<ExitCode> Show(pg::Session& session, const std::string& stream,
                              const QuarantineOptions& options, const Context& context) {
  RETURN_IF_ERROR(RequireEntry(session, stream, *options.id));
  ASSIGN_OR_RETURN(const operate::QuarantineReport report, Load(session, stream, options.id, 1));
  context.out << (context.json ? QuarantineJson(report) : QuarantineText(report));
  return ExitCode::kNo;
}

absl::StatusOr<ExitCode> Retry(pg::Session& session, const std::string& stream,
                               const QuarantineOptions& options, const Context& context) {
  const std::string wait_text = options.wait.value_or(kWaitDefault);
  const std::optional<absl::Duration> wait = spec::ParseDurationText(wait_text);
  if (!wait.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--wait is \"", wait_text, "\"; it must be a time, as in 30s"));
  }
  if (options.id.has_value()) RETURN_IF_ERROR(RequireEntry(session, stream, *options.id));
  ASSIGN_OR_RETURN(
      const int64_t request,
      operate::Submit(session,
                      {.stream = stream,
                       .kind = "quarantine_retry",
                       .argument = options.id.has_value() ? std::to_string(*options.id) : ""}));
  ASSIGN_OR_RETURN(const std::string answer,
                   operate::AwaitAnswer(session, request, *wait, context.cancel));
  if (context.json) {
    const nlohmann::ordered_json object = {
        {"stream", stream}, {"request", request}, {"answer", answer}};
    context.out << object.dump(2) << "\n";
  } else {
    context.out << stream << ": " << answer << "\n";
  }
  return absl::EndsWith(answer, " 0 left") ? ExitCode::kDone : ExitCode::kNo;
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
  const std::string stream = capture::NamesOf(file.name, "forward").stream;
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   operate::ConnectTo(file.new_db, "new", context.cancel));
  RETURN_IF_ERROR(operate::RequireStream(*session, stream));
  return options.action == "list"   ? List(*session, stream, options, context)
         : options.action == "show" ? Show(*session, stream, options, context)
                                    : Retry(*session, stream, options, context);
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
