// Runs the switchyard binary as its users do.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "tests/support/subprocess.h"

namespace switchyard::testing {

struct CliResult {
  int exit_code = -1;
  std::string output;  // standard output and error
};

// `environment` is added to the test's own.
inline CliResult RunCli(const std::vector<std::string>& arguments,
                        std::vector<std::pair<std::string, std::string>> environment = {}) {
  const auto folder = MakeTempFolder("cli");
  SY_CHECK(folder.ok());
  Command command;
  command.argv = {SY_BINARY};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = std::move(environment);
  command.output_path = *folder + "/output";
  const auto pid = Spawn(command);
  SY_CHECK(pid.ok());
  int status = 0;
  SY_CHECK(waitpid(*pid, &status, 0) == *pid);
  CliResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.output = ReadFileOrEmpty(command.output_path);
  unlink(command.output_path.c_str());
  rmdir(folder->c_str());
  return result;
}

// A file in the test's temporary folder.
inline std::string WriteTempFile(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

}  // namespace switchyard::testing
