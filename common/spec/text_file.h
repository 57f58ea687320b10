// Small text files beside the migration file.
#pragma once

#include <cstddef>
#include <string>

#include "common/base/status.h"

namespace switchyard::spec {

// NotFound: there is none. InvalidArgument: a folder, or more than `bytes_max`. Unavailable: it
// can't be read.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t bytes_max);

// `path`, or folder/path when it is relative.
std::string ResolvePath(const std::string& folder, const std::string& path);

}  // namespace switchyard::spec
