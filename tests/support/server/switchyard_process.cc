#include "tests/support/server/switchyard_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {

absl::StatusOr<std::unique_ptr<SwitchyardProcess>> SwitchyardProcess::Start(
    const Options& options) {
  Command command;
  // setpriv replaces itself by the program, so the pid is the program's.
  command.argv = {"/usr/bin/setpriv", "--pdeathsig", "KILL", SY_BINARY};
  command.argv.insert(command.argv.end(), options.arguments.begin(), options.arguments.end());
  command.environment = options.environment;
  if (!options.fault.empty()) command.environment.emplace_back("SWITCHYARD_FAULT", options.fault);
  command.output_path = options.output_path;
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(command));
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return absl::ErrnoToStatus(errno, "pidfd_open");
  return std::unique_ptr<SwitchyardProcess>(new SwitchyardProcess(pid, pidfd));
}

SwitchyardProcess::~SwitchyardProcess() {
  Kill();
  close(pidfd_);
}

void SwitchyardProcess::Kill() {
  if (ended_) return;
  kill(pid_, SIGKILL);
  SY_CHECK(Wait(absl::InfiniteDuration()).ok());
}

void SwitchyardProcess::Freeze() {
  if (!ended_) kill(pid_, SIGSTOP);
}

void SwitchyardProcess::Thaw() {
  if (!ended_) kill(pid_, SIGCONT);
}

absl::StatusOr<int> SwitchyardProcess::Terminate(absl::Duration deadline) {
  if (!ended_) kill(pid_, SIGTERM);
  return Wait(deadline);
}

absl::StatusOr<int> SwitchyardProcess::Wait(absl::Duration deadline) {
  if (ended_) return result_;
  const absl::Time until = absl::Now() + deadline;
  while (true) {
    const absl::Duration left = std::max(absl::ZeroDuration(), until - absl::Now());
    pollfd ready = {.fd = pidfd_, .events = POLLIN, .revents = 0};
    const int timeout =
        left == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(left));
    const int polled = poll(&ready, 1, timeout);
    if (polled > 0) break;
    if (polled < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
    if (polled == 0) {
      return absl::DeadlineExceededError(
          absl::StrFormat("pid %d still runs after %s", pid_, absl::FormatDuration(deadline)));
    }
  }
  int status = 0;
  SY_CHECK(waitpid(pid_, &status, 0) == pid_);
  ended_ = true;
  result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return result_;
}

absl::StatusOr<ProgramResult> RunSwitchyard(
    std::vector<std::string> arguments,
    std::vector<std::pair<std::string, std::string>> environment, absl::Duration deadline) {
  const TempDir folder;
  const std::string output_path = folder.path() + "/output";
  ASSIGN_OR_RETURN(std::unique_ptr<SwitchyardProcess> process,
                   SwitchyardProcess::Start({.arguments = std::move(arguments),
                                             .environment = std::move(environment),
                                             .output_path = output_path}));
  ProgramResult result;
  const absl::StatusOr<int> ended = process->Wait(deadline);
  result.output = ReadFileOrEmpty(output_path);
  if (!ended.ok()) {
    return absl::Status(ended.status().code(),
                        absl::StrCat(ended.status().message(), ":\n", result.output));
  }
  result.exit_code = *ended;
  return result;
}

}  // namespace switchyard::testing
