#include "cli/quarantine.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "capture/source_setup.h"
#include "cli/connect.h"
#include "cli/request.h"
#include "common/base/strings.h"
#include "common/ops/quarantine_report.h"
#include "common/spec/migration_file.h"
#include "common/spec/values.h"

namespace switchyard::cli {
namespace {

struct QuarantineOptions {
  std::string path;
  std::string action;
  int64_t id = 0;  // 0: all
  int64_t limit = 100;
  std::string wait = "30s";
};

absl::StatusOr<ops::QuarantineReport> Load(pg::Session& session, const std::string& stream,
                                           int64_t limit) {
  ops::QuarantineReport report = {.stream = stream};
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT id, target, scope, operation, lsn, sqlstate, error, events,
           (extract(epoch FROM first_seen) * 1000000)::bigint,
           (extract(epoch FROM last_seen) * 1000000)::bigint, count(*) OVER ()
    FROM switchyard.quarantine WHERE stream = $1 ORDER BY id LIMIT $2::bigint)",
                                                        {stream, std::to_string(limit)}));
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
                              .last_seen = absl::FromUnixMicros(rows.i64(i, 9))});
    report.total = rows.i64(i, 10);
  }
  return report;
}

absl::StatusOr<ExitCode> List(pg::Session& session, const std::string& stream,
                              const QuarantineOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const ops::QuarantineReport report, Load(session, stream, options.limit));
  context.out << (context.json ? QuarantineJson(report) : QuarantineText(report));
  return report.total == 0 ? ExitCode::kDone : ExitCode::kNo;
}

absl::StatusOr<ExitCode> Retry(pg::Session& session, const std::string& stream,
                               const QuarantineOptions& options, const Context& context) {
  const std::optional<absl::Duration> wait = spec::ParseDurationText(options.wait);
  if (!wait.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--wait is \"", options.wait, "\"; it must be a time, as in 30s"));
  }
  ASSIGN_OR_RETURN(
      const int64_t request,
      Submit(session, {.stream = stream,
                       .kind = "quarantine_retry",
                       .argument = options.id == 0 ? "" : std::to_string(options.id)}));
  ASSIGN_OR_RETURN(const std::string answer, AwaitAnswer(session, request, *wait, context.cancel));
  if (context.json) {
    const nlohmann::ordered_json object = {
        {"stream", stream}, {"request", request}, {"answer", answer}};
    context.out << object.dump(2) << "\n";
  } else {
    context.out << stream << ": " << answer << "\n";
  }
  return absl::EndsWith(answer, " 0 left") ? ExitCode::kDone : ExitCode::kNo;
}

absl::StatusOr<ExitCode> RunQuarantine(const QuarantineOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  const std::string stream = capture::NamesOf(file.name, "forward").stream;
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.new_db, "new", context.cancel));
  RETURN_IF_ERROR(RequireStream(*session, stream));
  return options.action == "list" ? List(*session, stream, options, context)
                                  : Retry(*session, stream, options, context);
}

}  // namespace

void AddQuarantine(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("quarantine", "Show the rows NEW refused, or try them again");
  auto options = std::make_shared<QuarantineOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_option("ACTION", options->action, "list or retry")
      ->required()
      ->check(CLI::IsMember({"list", "retry"}));
  command->add_option("ID", options->id, "Of retry: one entry only. Default: all")
      ->check(CLI::PositiveNumber)
      ->type_name("");
  command->add_option("--limit", options->limit, "Of list: show at most so many")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--wait", options->wait, "Of retry: for the replayer's answer")
      ->type_name("TIME")
      ->capture_default_str();
  command->footer(
      "list ends with 0 when the quarantine is empty, else with 1. retry ends with 0 when nothing\n"
      "is left, with 1 when something is, with 4 when no replayer answered in time.\n"
      "Examples:\n"
      "  switchyard quarantine studio.yaml list\n"
      "  switchyard quarantine studio.yaml retry       after the cause is mended\n"
      "  switchyard quarantine studio.yaml retry 17");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunQuarantine(*options, context); };
  });
}

}  // namespace switchyard::cli
