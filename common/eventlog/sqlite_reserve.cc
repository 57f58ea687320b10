#include "common/eventlog/sqlite_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::eventlog {
namespace {

constexpr int64_t kBytesMin = 64 << 10;
constexpr int64_t kBytesMax = 32 << 20;

int64_t BytesFor(const std::string& path) {
  struct statvfs space {};
  if (statvfs(path.c_str(), &space) != 0) return kBytesMax;
  const auto total = static_cast<int64_t>(space.f_blocks * space.f_frsize);
  return std::clamp(total / 8, kBytesMin, kBytesMax);
}

}  // namespace

SqliteReserve::SqliteReserve(const std::string& log_path)
    : log_path_(log_path), path_(log_path + "-reserve"), bytes_(BytesFor(log_path)) {}

bool SqliteReserve::taken() const {
  struct stat info {};
  return stat(path_.c_str(), &info) == 0 && info.st_size >= bytes_;
}

int64_t SqliteReserve::FreeBytes() const {
  struct statvfs space {};
  if (statvfs(log_path_.c_str(), &space) != 0) return bytes_ * 2;
  return static_cast<int64_t>(space.f_bavail * space.f_frsize);
}

absl::Status SqliteReserve::Take() const {
  if (taken()) return absl::OkStatus();
  const int64_t free = FreeBytes();
  const auto no_room = [&] {
    return absl::UnavailableError(
        absl::StrFormat("log file %s: its disk is full: %s are left, %s are needed to go on",
                        log_path_, HumanBytes(free), HumanBytes(2 * bytes_)));
  };
  if (free < 2 * bytes_) return no_room();
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno == ENOSPC ? no_room() : absl::OkStatus();
  const int failed = posix_fallocate(fd, 0, bytes_);
  close(fd);
  if (failed == 0) return absl::OkStatus();
  GiveUp();
  // A file system that can't promise room is used without.
  return failed == ENOSPC ? no_room() : absl::OkStatus();
}

void SqliteReserve::GiveUp() const { unlink(path_.c_str()); }

absl::Status CheckRoom(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) return absl::OkStatus();
  const SqliteReserve reserve(path);
  if (reserve.taken()) return absl::OkStatus();
  struct statvfs space {};
  if (statvfs(path.c_str(), &space) != 0) return absl::OkStatus();
  const auto free = static_cast<int64_t>(space.f_bavail * space.f_frsize);
  if (free >= 2 * reserve.bytes()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrFormat("capture waits for room on the disk of %s: %s are left, %s are needed", path,
                      HumanBytes(free), HumanBytes(2 * reserve.bytes())));
}

}  // namespace switchyard::eventlog
