// The initdb'd folder that clusters of MiniPostgres are copied from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"

namespace switchyard::testing {

using Environment = std::vector<std::pair<std::string, std::string>>;

// What programs of `bin_dir` need: LD_LIBRARY_PATH where their libraries lie beside them.
Environment PostgresEnvironment(const std::string& bin_dir);

// A data folder made by initdb with those binaries. Made once per boot; safe against parallel
// tests, of which one makes it and the others wait.
absl::StatusOr<std::string> DataTemplate(const std::string& bin_dir);

// A copy at `data_dir` with a system identifier of its own: code under test compares them.
absl::Status CopyDataTemplate(const std::string& data_template, const std::string& data_dir);

}  // namespace switchyard::testing
