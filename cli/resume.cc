#include "cli/resume.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "capture/capture.h"
#include "capture/source_setup.h"
#include "common/base/strings.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/plan_change.h"
#include "common/spec/migration_file.h"
#include "operate/connect.h"
#include "operate/mend/recopy_request.h"
#include "operate/request.h"
#include "replayer/target/pg_target.h"

namespace switchyard::cli {
namespace {

using Json = nlohmann::ordered_json;

// A table that capture does not follow yet can't be copied while streaming.
absl::Status RefuseUnknownTables(pg::Session& old_session, const std::string& stream,
                                 const mapping::Plan& plan, const mapping::PlanChange& change) {
  for (const mapping::SourcePlan& source : plan.sources) {
    const std::string table = source.schema + "." + source.name;
    if (std::ranges::count(change.recopy, table) == 0) continue;
    // Another table may have had the name.
    ASSIGN_OR_RETURN(const pg::Result known,
                     old_session.Query("SELECT FROM switchyard.capture_table WHERE stream = $1 AND "
                                       "schema_name || '.' || table_name = $2 AND "
                                       "relation_id = $3::oid",
                                       {stream, table, std::to_string(source.relation_id)}));
    if (known.rows() > 0) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "capture does not follow %s yet. Run, as OLD's owner, what `switchyard check FILE "
        "--print-setup` prints, start capture again with this file, then run: switchyard resume "
        "FILE",
        table));
  }
  return absl::OkStatus();
}

std::string Describe(const std::string& stream, const mapping::PlanChange& change,
                     const std::vector<std::string>& copied_again) {
  std::string text = stream + ": ";
  if (change.empty() && copied_again.empty()) {
    return text +
           "the mapping is as it was; OLD's tables and types are taken as they are now. "
           "Start the replayer again";
  }
  const auto list = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) absl::StrAppend(&text, what, absl::StrJoin(names, ", "), "\n");
  };
  text += change.empty() ? "the mapping is as it was\n" : "the mapping is replaced\n";
  list("  changed:       ", change.changed);
  list("  added:         ", change.added);
  list("  removed:       ", change.removed);
  list("  copied again:  ", copied_again);
  list("  derived again: ", change.recompute);
  return text + "Start the replayer again; NEW is not to be read until status says streaming";
}

absl::StatusOr<ExitCode> RunResume(const std::string& path, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  const mapping::StreamRole role = mapping::ForwardRole(file);
  const capture::StreamNames names = capture::NamesOf(file.name, "forward");
  ASSIGN_OR_RETURN(const auto old_session, operate::ConnectTo(file.old_db, "old", context.cancel));
  ASSIGN_OR_RETURN(const auto new_session, operate::ConnectTo(file.new_db, "new", context.cancel));
  ASSIGN_OR_RETURN(const auto control, operate::ConnectControl(file.new_db, "new", context.cancel));
  RETURN_IF_ERROR(operate::RequireStream(*control, names.stream));
  ASSIGN_OR_RETURN(const std::string dsn, file.new_db.Dsn());
  // Held until this command ends, so that no replayer starts with half of the change.
  const auto lock = replayer::OpenExclusively({.dsn = dsn, .stream = names.stream}, context.cancel);
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(lock.status().message(),
                     ": it goes on with the mapping it has. End it, then run this again"));
  }
  RETURN_IF_ERROR(Annotate(lock.status(), "new"));
  ASSIGN_OR_RETURN(const mapping::PreparedMapping compiled,
                   mapping::CompileMapping(file, role, context.cancel));
  ASSIGN_OR_RETURN(
      const mapping::PlanChange change,
      mapping::InstalledChange(*new_session, names.stream, compiled.plan, compiled.source));
  RETURN_IF_ERROR(RefuseUnknownTables(*old_session, names.stream, compiled.plan, change));
  RETURN_IF_ERROR(mapping::PrepareMapping(file, role, {.refresh = true}, context.cancel).status());
  ASSIGN_OR_RETURN(const std::vector<std::string> copied_again,
                   operate::AskForOpenCopies(*old_session, *new_session, names, compiled.plan));
  std::vector<uint32_t> mapped;
  for (const mapping::SourcePlan& source : compiled.plan.sources) {
    mapped.push_back(source.relation_id);
  }
  RETURN_IF_ERROR(capture::Capture::ForgetSuspects(*old_session, names, mapped));
  RETURN_IF_ERROR(new_session
                      ->Query("UPDATE switchyard.stream SET stop_reason = NULL, state = CASE WHEN "
                              "state NOT IN ('stopped', 'streaming') THEN state "
                              "WHEN copy_lsn = '0/0' THEN 'copying' ELSE 'catching_up' END, "
                              "updated_at = clock_timestamp() WHERE name = $1",
                              {names.stream})
                      .status());
  if (context.json) {
    const Json object = {{"stream", names.stream},       {"changed", change.changed},
                         {"added", change.added},        {"removed", change.removed},
                         {"copied_again", copied_again}, {"derived_again", change.recompute}};
    context.out << object.dump(2) << "\n";
  } else {
    context.out << Describe(names.stream, change, copied_again) << "\n";
  }
  return ExitCode::kDone;
}

}  // namespace

void AddResume(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("resume", "Go on after a change of the migration file or of OLD's tables");
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  command->footer(
      "For a stream that stopped because a column was dropped, renamed or changed its type, or "
      "for\n"
      "a mapping that was changed on purpose. Compares the file with what is installed, replaces\n"
      "what changed, and has its tables copied or derived again. The replayer must have ended.\n"
      "Example:\n"
      "  switchyard resume studio.yaml && switchyard replay studio.yaml");
  command->callback([path, chosen] {
    *chosen = [path](const Context& context) { return RunResume(*path, context); };
  });
}

}  // namespace switchyard::cli
