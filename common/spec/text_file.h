// Small text files beside the migration file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace switchyard::spec {

// Without the byte order mark that some editors put first. NotFound: there is none.
// InvalidArgument: a folder, more than `bytes_max`, or it can't be read.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t bytes_max);

// What to do about one that a migration file names and that is not there.
inline constexpr char kWriteFile[] =
    "; write it, or mend the path, which begins at the migration file's folder";

// Offset of the first byte that is no UTF-8, or is NUL; npos when there is none.
size_t FirstBadByte(std::string_view text);

// `path`, or folder/path when it is relative.
std::string ResolvePath(const std::string& folder, const std::string& path);

}  // namespace switchyard::spec
