#include "cli/roles/roles.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/roles/capture_role.h"
#include "cli/roles/replay_role.h"
#include "cli/roles/role_threads.h"
#include "common/spec/migration_file.h"
#include "operate/connect.h"
#include "operate/log_options.h"

namespace switchyard::cli {
namespace {

using Role = absl::Status (*)(const spec::MigrationFile&, const Cancel&);

// What is missing at the very start ends the program. Later on capture goes on without replay, so
// that the source keeps no WAL for the target; replay without capture only as long as the log has
// something, so that a person who must act finds an ended program, a reason in status and nothing
// half done. Neither stream waits for the other, but that reverse begins once forward streams.
struct Roles {
  bool capture = false;
  bool replay = false;
};

// The stream from NEW to OLD, once it may begin.
std::vector<RoleThread> ReverseRoles(const spec::MigrationFile& file, Roles roles,
                                     eventlog::EventLog& log, Cancel& drain) {
  std::vector<RoleThread> threads;
  const auto capture = [&](const Cancel& stop) -> absl::Status {
    const records::Stream stream = records::ReverseOf(file);
    RETURN_IF_ERROR(AwaitForward(file, stop));
    absl::Status ended = PrepareCapture(file, stream, stop);
    if (ended.ok()) ended = RunCaptureRole(file, stream, log, stop);
    drain.Request();
    return ended;
  };
  const auto replay = [&, drains = roles.capture](const Cancel& stop) -> absl::Status {
    const records::Stream stream = records::ReverseOf(file);
    RETURN_IF_ERROR(AwaitForward(file, stop));
    ASSIGN_OR_RETURN(const mapping::Plan plan, PrepareReplay(file, stream, stop));
    return Replay(file, stream, plan, log, stop, drains ? &drain : nullptr);
  };
  if (roles.capture) {
    threads.push_back(RoleThread{"reverse capture", capture, "the forward stream goes on"});
  }
  if (roles.replay) {
    threads.push_back(RoleThread{"reverse replay", replay, "the forward stream goes on"});
  }
  return threads;
}

// The log is looked at first, then what the databases lack, and only then a log file is made that
// is not there yet: what is refused at the very start has changed nothing.
absl::Status RunStreams(const spec::MigrationFile& file, Roles roles, const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  absl::Status bad_log = operate::RefuseBadLog(file, cancel);
  if (!roles.capture) bad_log = NotedInTarget(stream, bad_log, cancel);
  RETURN_IF_ERROR(bad_log);
  if (roles.capture) RETURN_IF_ERROR(PrepareCapture(file, stream, cancel));
  mapping::Plan plan;
  if (roles.replay) {
    ASSIGN_OR_RETURN(plan, PrepareReplay(file, stream, cancel));
  }
  ASSIGN_OR_RETURN(const auto log, operate::OpenLog(file, cancel));
  Cancel drain;
  Cancel reverse_drain;
  const auto capture = [&](const Cancel& stop) {
    const absl::Status ended = RunCaptureRole(file, stream, *log, stop);
    drain.Request();
    return ended;
  };
  const auto replay = [&](const Cancel& stop) {
    return Replay(file, stream, plan, *log, stop, roles.capture ? &drain : nullptr);
  };
  std::vector<RoleThread> threads;
  if (file.reverse.has_value()) threads = ReverseRoles(file, roles, *log, reverse_drain);
  if (threads.empty() && !roles.replay) return capture(cancel);
  if (threads.empty() && !roles.capture) return replay(cancel);
  if (roles.replay) {
    threads.insert(threads.begin(), RoleThread{"replay", replay, "capture goes on"});
  }
  if (roles.capture) {
    threads.insert(
        threads.begin(),
        RoleThread{"capture", capture, "replay applies what the log holds, then the program ends"});
  }
  return RunRoles(threads, cancel);
}

absl::Status RunCapture(const spec::MigrationFile& file, const Cancel& cancel) {
  return RunStreams(file, {.capture = true}, cancel);
}

absl::Status RunReplay(const spec::MigrationFile& file, const Cancel& cancel) {
  return RunStreams(file, {.replay = true}, cancel);
}

absl::Status RunBoth(const spec::MigrationFile& file, const Cancel& cancel) {
  return RunStreams(file, {.capture = true, .replay = true}, cancel);
}

absl::StatusOr<ExitCode> RunRole(const std::string& path, Role role, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  RETURN_IF_ERROR(operate::RequireDsn(file.old_db, "old"));
  // Capture's machine need not know NEW, unless it is captured, too.
  if (role != RunCapture || file.reverse.has_value()) {
    RETURN_IF_ERROR(operate::RequireDsn(file.new_db, "new"));
  }
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
