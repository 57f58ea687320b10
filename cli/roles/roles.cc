#include "cli/roles/roles.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/roles/capture_role.h"
#include "cli/roles/replay_role.h"
#include "cli/roles/role_threads.h"
#include "common/spec/migration_file.h"
#include "operate/connect.h"
#include "operate/log_options.h"

namespace switchyard::cli {
namespace {

using Role = absl::Status (*)(const spec::MigrationFile&, const Cancel&);

// Each role looks at the log first, then at what its database lacks, and only then makes a log file
// that is not there yet: what is refused at the very start has changed nothing.
absl::Status RunCapture(const spec::MigrationFile& file, const Cancel& cancel) {
  RETURN_IF_ERROR(operate::RefuseBadLog(file, cancel));
  RETURN_IF_ERROR(PrepareCapture(file, cancel));
  ASSIGN_OR_RETURN(const auto log, operate::OpenLog(file, cancel));
  return RunCaptureRole(file, *log, cancel);
}

absl::Status RunReplay(const spec::MigrationFile& file, const Cancel& cancel) {
  RETURN_IF_ERROR(NotedInNew(file, operate::RefuseBadLog(file, cancel), cancel));
  ASSIGN_OR_RETURN(const mapping::Plan plan, PrepareReplay(file, cancel));
  ASSIGN_OR_RETURN(const auto log, operate::OpenLog(file, cancel));
  return Replay(file, plan, *log, cancel);
}

// What is missing at the very start ends the program. Later on capture goes on without replay, so
// that OLD keeps no WAL for NEW; replay without capture only as long as the log has something, so
// that a person who must act finds an ended program, a reason in status and nothing half done.
absl::Status RunBoth(const spec::MigrationFile& file, const Cancel& cancel) {
  RETURN_IF_ERROR(operate::RefuseBadLog(file, cancel));
  RETURN_IF_ERROR(PrepareCapture(file, cancel));
  ASSIGN_OR_RETURN(const mapping::Plan plan, PrepareReplay(file, cancel));
  ASSIGN_OR_RETURN(const auto log, operate::OpenLog(file, cancel));
  Cancel drain;
  const auto capture = [&](const Cancel& stop) {
    const absl::Status ended = RunCaptureRole(file, *log, stop);
    drain.Request();
    return ended;
  };
  const auto replay = [&](const Cancel& stop) { return Replay(file, plan, *log, stop, &drain); };
  return RunRoles({{"capture", capture, "replay applies what the log holds, then the program ends"},
                   {"replay", replay, "capture goes on"}},
                  cancel);
}

absl::StatusOr<ExitCode> RunRole(const std::string& path, Role role, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  RETURN_IF_ERROR(operate::RequireDsn(file.old_db, "old"));
  // Capture's machine need not know NEW.
  if (role != RunCapture) RETURN_IF_ERROR(operate::RequireDsn(file.new_db, "new"));
  const absl::Status status = role(file, context.cancel);
  // A shutdown that was asked for is success.
  if (status.ok() || absl::IsCancelled(status)) return ExitCode::kDone;
  return status;
}

constexpr char kRoleEnd[] =
    "Ends with 0 after SIGTERM, with 1 when a person must act: the reason is in the log lines and\n"
    "in status; with 3 when a database refuses the login.\n";

void AddRole(CLI::App& app, const char* name, const char* help, const char* examples, Role role,
             Chosen* chosen) {
  CLI::App* command = app.add_subcommand(name, help);
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  command->footer(std::string(kRoleEnd) + examples);
  command->callback([path, role, chosen] {
    *chosen = [path, role](const Context& context) { return RunRole(*path, role, context); };
  });
}

}  // namespace

void AddCapture(CLI::App& app, Chosen* chosen) {
  AddRole(app, "capture", "Put OLD's changes and the initial copy on the log, until told to end",
          "Start two for one stream: one works, the other stands by.\n"
          "Example:\n"
          "  switchyard capture studio.yaml",
          RunCapture, chosen);
}

void AddReplay(CLI::App& app, Chosen* chosen) {
  AddRole(app, "replay", "Apply the log to NEW, until told to end",
          "Start two for one stream: one works, the other stands by.\n"
          "Example:\n"
          "  switchyard replay studio.yaml",
          RunReplay, chosen);
}

void AddRun(CLI::App& app, Chosen* chosen) {
  AddRole(
      app, "run", "Capture and replay in one process, until told to end",
      "When replay has to stop, capture goes on: the log grows, not OLD's WAL. When capture has\n"
      "to stop, replay applies what the log holds, and the program ends.\n"
      "Examples:\n"
      "  switchyard run studio.yaml\n"
      "  switchyard run studio.yaml & switchyard status studio.yaml --watch",
      RunBoth, chosen);
}

}  // namespace switchyard::cli
