// Running programs from tests: as another user, with a deadline, output in a file.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::testing {

struct Command {
  std::vector<std::string> argv;                                 // argv[0] is a path
  std::vector<std::pair<std::string, std::string>> environment;  // added to the test's own
  std::string output_path = "/dev/null";  // standard output and error, appended
  std::string work_dir = "/";
  bool drop_root = false;  // as UnprivilegedUser() when the test is root
  int input_fd = -1;       // standard input; -1: /dev/null
};

// Starts it in a session of its own, so that no terminal signal reaches it. The caller waits for
// it.
absl::StatusOr<pid_t> Spawn(const Command& command);
// Runs to the end; FailedPrecondition with the exit code and the output's tail when it is not 0.
absl::Status Run(const Command& command);
// Runs and gives what it wrote.
absl::StatusOr<std::string> RunForOutput(Command command);

// The user servers run as when the test is root: postgres, else nobody; the test's own otherwise.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};
User UnprivilegedUser();

std::string ReadFileOrEmpty(const std::string& path);
absl::Status AppendToFile(const std::string& path, std::string_view text);
// A new folder under $TMPDIR or /tmp, mode 0700.
absl::StatusOr<std::string> MakeTempFolder(std::string_view prefix);
// A TCP port of 127.0.0.1 that was free a moment ago.
absl::StatusOr<int> FreePort();

}  // namespace switchyard::testing
