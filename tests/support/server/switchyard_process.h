// The program under test as a child: started, killed, ended, waited for.
//
//   ASSERT_OK_AND_ASSIGN(auto run, SwitchyardProcess::Start({.arguments = {"run", file},
//                                                            .environment = dsns}));
//   run->Kill();
//
// The kernel ends the child when the test dies, however it dies. Thread-compatible.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::testing {

class SwitchyardProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;
    std::string output_path = "/dev/null";  // appended to
    std::string fault;                      // SWITCHYARD_FAULT
  };
  static absl::StatusOr<std::unique_ptr<SwitchyardProcess>> Start(const Options& options);
  // Kills it.
  ~SwitchyardProcess();
  SwitchyardProcess(const SwitchyardProcess&) = delete;
  SwitchyardProcess& operator=(const SwitchyardProcess&) = delete;

  bool Alive() { return !Wait(absl::ZeroDuration()).ok(); }
  // SIGKILL, and waits. No-op when it has ended.
  void Kill();
  // Takes all time from it, as a machine that hangs does; and gives it back.
  void Freeze();
  void Thaw();
  // SIGTERM; then as Wait.
  absl::StatusOr<int> Terminate(absl::Duration deadline = absl::Seconds(10));
  // The exit code, or minus the signal that ended it. DeadlineExceeded while it runs.
  absl::StatusOr<int> Wait(absl::Duration deadline);

 private:
  SwitchyardProcess(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}

  const pid_t pid_;
  const int pidfd_;
  bool ended_ = false;
  int result_ = 0;
};

// Runs the program to its end and gives what it printed, whatever the exit code.
struct ProgramResult {
  int exit_code = 0;
  std::string output;
};
absl::StatusOr<ProgramResult> RunSwitchyard(
    std::vector<std::string> arguments,
    std::vector<std::pair<std::string, std::string>> environment,
    absl::Duration deadline = absl::Seconds(30));

}  // namespace switchyard::testing
