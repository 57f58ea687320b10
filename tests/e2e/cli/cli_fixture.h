// Runs the switchyard binary as its users do.
#pragma once

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/server/switchyard_process.h"

namespace switchyard::testing {

using Environment = std::vector<std::pair<std::string, std::string>>;

// `environment` is added to the test's own. Output and errors come together.
inline ProgramResult RunCli(std::vector<std::string> arguments, Environment environment = {}) {
  auto result = RunSwitchyard(std::move(arguments), std::move(environment));
  if (!result.ok()) return {.exit_code = -1, .output = std::string(result.status().message())};
  return *std::move(result);
}

// A file in the test's temporary folder.
inline std::string WriteTempFile(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

}  // namespace switchyard::testing
