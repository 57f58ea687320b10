#include "tests/support/pipeline.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/base/wait/cancel.h"
#include "tests/support/await.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {

absl::StatusOr<std::string> MakeRoleWithoutSilence(const std::string& migration_file,
                                                   const std::string& old_dsn,
                                                   const std::string& new_dsn) {
  const std::string role = "switchyard_replay";
  const auto run = [&](const std::vector<std::string>& arguments, const std::string& dsn) {
    return RunSwitchyard(arguments, {{"OLD_DSN", old_dsn}, {"NEW_DSN", dsn}});
  };
  ASSIGN_OR_RETURN(const ProgramResult setup,
                   run({"check", "--print-setup-new", "--role", role, migration_file}, new_dsn));
  if (setup.exit_code != 0) return absl::FailedPreconditionError(setup.output);
  const Cancel cancel;
  ASSIGN_OR_RETURN(auto owner, pg::Session::Connect({.dsn = new_dsn}, cancel));
  RETURN_IF_ERROR(owner->Execute(setup.output));
  RETURN_IF_ERROR(owner->Execute("REVOKE SET ON PARAMETER session_replication_role FROM " + role));
  const std::string dsn = absl::StrReplaceAll(new_dsn, {{"user=postgres", "user=" + role}});
  ASSIGN_OR_RETURN(const ProgramResult check, run({"check", migration_file}, dsn));
  // OLD may not be prepared yet: what is wrong there is not asked.
  if (!absl::StrContains(check.output, "in the order of its foreign keys") ||
      absl::StrContains("\n" + check.output, "\nnew: ")) {
    return absl::FailedPreconditionError(check.output);
  }
  return dsn;
}

std::vector<std::pair<std::string, std::string>> Pipeline::environment() const {
  return {{"OLD_DSN", options_.old_dsn}, {"NEW_DSN", options_.new_dsn}};
}

absl::Status Pipeline::Prepare() {
  ASSIGN_OR_RETURN(
      const ProgramResult setup,
      RunSwitchyard({"check", "--print-setup", options_.migration_file}, environment()));
  if (setup.exit_code != 0) return absl::FailedPreconditionError(setup.output);
  const Cancel cancel;
  ASSIGN_OR_RETURN(auto old_db, pg::Session::Connect({.dsn = options_.old_dsn}, cancel));
  return old_db->Execute(setup.output);
}

absl::Status Pipeline::Start(const std::string& role, const std::string& fault,
                             const std::string& name) {
  const std::string& key = name.empty() ? role : name;
  ASSIGN_OR_RETURN(processes_[key], SwitchyardProcess::Start(
                                        {.arguments = {role, options_.migration_file},
                                         .environment = environment(),
                                         .output_path = options_.log_folder + "/" + key + ".log",
                                         .fault = fault}));
  return absl::OkStatus();
}

SwitchyardProcess* Pipeline::process(const std::string& name) {
  const auto it = processes_.find(name);
  return it == processes_.end() ? nullptr : it->second.get();
}

void Pipeline::Kill(const std::string& name) {
  processes_.erase(name);  // which kills it
}

absl::Status Pipeline::Stop() {
  absl::Status result;
  while (!processes_.empty()) result.Update(Stop(std::string(processes_.begin()->first)));
  return result;
}

absl::Status Pipeline::Stop(const std::string& name) {
  const auto ending = processes_.extract(name);
  if (ending.empty()) return absl::NotFoundError(name + " was not started");
  const absl::StatusOr<int> code = ending.mapped()->Terminate();
  if (code.ok() && *code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(name, code.ok() ? absl::StrCat(" ended with ", *code) : " did not end in time",
                   "\n", Log(name)));
}

std::string Pipeline::Log(const std::string& name) const {
  constexpr size_t kTail = 4000;
  const std::string text = ReadFileOrEmpty(options_.log_folder + "/" + name + ".log");
  return text.size() <= kTail ? text : text.substr(text.size() - kTail);
}

absl::Status Pipeline::CheckRoles() {
  for (auto& [name, process] : processes_) {
    if (process->Alive()) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s ended with %d\n%s", name, process->Wait(absl::ZeroDuration()).value_or(0), Log(name)));
  }
  return absl::OkStatus();
}

absl::Status Pipeline::AwaitCaughtUp(absl::Duration deadline) {
  const Cancel cancel;
  ASSIGN_OR_RETURN(auto old_db, pg::Session::Connect({.dsn = options_.old_dsn}, cancel));
  ASSIGN_OR_RETURN(const pg::Result end, old_db->Query("SELECT pg_current_wal_insert_lsn()"));
  // Something for the stream to report beyond that point.
  RETURN_IF_ERROR(old_db->Execute("SELECT pg_logical_emit_message(true, 'test', 'caught up?')"));
  const std::string lsn = end.str(0, 0);
  return Annotate(Await("NEW is at " + lsn, deadline, [&] { return CaughtUp(lsn); }),
                  options_.stream);
}

// A server that is being restarted is a "not yet".
absl::StatusOr<bool> Pipeline::CaughtUp(const std::string& lsn) {
  RETURN_IF_ERROR(CheckRoles());
  const Cancel cancel;
  const auto new_db = pg::Session::Connect({.dsn = options_.new_dsn}, cancel);
  if (!new_db.ok()) return false;
  const auto installed = (*new_db)->Query("SELECT to_regclass('switchyard.stream') IS NOT NULL");
  if (!installed.ok() || !installed->boolean(0, 0)) return false;
  const auto state = (*new_db)->Query(
      "SELECT state, coalesce(stop_reason, ''), covered_lsn >= $2::pg_lsn FROM switchyard.stream "
      "WHERE name = $1",
      {options_.stream, lsn});
  if (!state.ok() || state->rows() == 0) return false;
  if (state->text(0, 0) == "stopped") return absl::FailedPreconditionError(state->str(0, 1));
  return state->text(0, 0) == "streaming" && state->boolean(0, 2);
}

absl::StatusOr<int64_t> Pipeline::Quarantined() {
  const Cancel cancel;
  ASSIGN_OR_RETURN(auto new_db, pg::Session::Connect({.dsn = options_.new_dsn}, cancel));
  ASSIGN_OR_RETURN(const pg::Result count,
                   new_db->Query("SELECT count(*) FROM switchyard.quarantine"));
  return count.i64(0, 0);
}

}  // namespace switchyard::testing
