#include "tests/support/server/mini_postgres_template.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {
namespace {

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// CRC-32C, as in pg_control.
uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

absl::Status Overwrite(const std::string& path, off_t offset, std::string_view bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), offset);
  close(fd);
  return written == static_cast<ssize_t>(bytes.size()) ? absl::OkStatus()
                                                       : absl::DataLossError("short write " + path);
}

template <typename T>
std::string_view Bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// pg_control begins with the system identifier and ends with a CRC over all before it, at an
// offset that differs between versions: it is where the CRC fits.
absl::Status SetIdentifierInControlFile(const std::string& data_dir, uint64_t identifier) {
  const std::string path = data_dir + "/global/pg_control";
  std::string control = ReadFileOrEmpty(path);
  size_t crc_at = 0;
  for (size_t at = 64; at + 4 <= control.size() && at < 1024 && crc_at == 0; at += 4) {
    uint32_t stored = 0;
    memcpy(&stored, control.data() + at, sizeof stored);
    if (stored == Crc32c(std::string_view(control).substr(0, at))) crc_at = at;
  }
  if (crc_at == 0) return absl::InternalError("no CRC found in " + path);
  memcpy(control.data(), &identifier, sizeof identifier);
  const uint32_t crc = Crc32c(std::string_view(control).substr(0, crc_at));
  memcpy(control.data() + crc_at, &crc, sizeof crc);
  return Overwrite(path, 0, control);
}

// The first page of every WAL segment repeats the identifier behind the 24 bytes of a page header.
absl::Status SetIdentifierInWal(const std::string& data_dir, uint64_t identifier) {
  const std::string folder = data_dir + "/pg_wal";
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return absl::ErrnoToStatus(errno, folder);
  absl::Status status;
  while (const dirent* entry = readdir(dir)) {
    if (strlen(entry->d_name) != 24) continue;
    status.Update(Overwrite(folder + "/" + entry->d_name, 24, Bytes(identifier)));
  }
  closedir(dir);
  return status;
}

absl::Status Initdb(const std::string& bin_dir, const std::string& target) {
  const std::string parent = target.substr(0, target.rfind('/'));
  const std::string building = target + ".building";
  RETURN_IF_ERROR(Run({.argv = {"/bin/rm", "-rf", building}}));
  if (mkdir(building.c_str(), 0700) != 0) return absl::ErrnoToStatus(errno, building);
  const User user = UnprivilegedUser();
  if (chown(building.c_str(), user.uid, user.gid) != 0) return absl::ErrnoToStatus(errno, building);
  RETURN_IF_ERROR(Run({.argv = {bin_dir + "/initdb", "-D", building + "/data", "-U", "postgres",
                                "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
                       .environment = PostgresEnvironment(bin_dir),
                       .output_path = building + "/initdb.log",
                       .work_dir = building,
                       .drop_root = true}));
  if (rename(building.c_str(), target.c_str()) != 0) return absl::ErrnoToStatus(errno, target);
  return absl::OkStatus();
}

// Names the boot, the binaries and the user, so that a stale template is never taken.
absl::StatusOr<std::string> TemplatePath(const std::string& bin_dir) {
  ASSIGN_OR_RETURN(const std::string version,
                   RunForOutput({.argv = {bin_dir + "/postgres", "--version"},
                                 .environment = PostgresEnvironment(bin_dir)}));
  struct stat binary = {};
  if (stat((bin_dir + "/postgres").c_str(), &binary) != 0)
    return absl::ErrnoToStatus(errno, bin_dir);
  const std::string key = absl::StrCat(ReadFileOrEmpty("/proc/sys/kernel/random/boot_id"), version,
                                       bin_dir, binary.st_mtime, UnprivilegedUser().uid);
  return absl::StrFormat("/tmp/sypg-template-%08x%08x", Crc32c(key),
                         Crc32c(std::string(key.rbegin(), key.rend())));
}

}  // namespace

Environment PostgresEnvironment(const std::string& bin_dir) {
  const std::string lib = bin_dir.substr(0, bin_dir.rfind('/')) + "/lib";
  if (!Exists(lib + "/libpq.so.5")) return {};
  return {{"LD_LIBRARY_PATH", lib}};
}

absl::StatusOr<std::string> DataTemplate(const std::string& bin_dir) {
  ASSIGN_OR_RETURN(const std::string target, TemplatePath(bin_dir));
  const int lock = open((target + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return absl::ErrnoToStatus(errno, target + ".lock");
  absl::Status status;
  if (flock(lock, LOCK_EX) != 0) status = absl::ErrnoToStatus(errno, "flock");
  if (status.ok() && !Exists(target)) status = Initdb(bin_dir, target);
  close(lock);
  // /tmp is everybody's: take nobody else's folder.
  struct stat made = {};
  if (status.ok() && (lstat(target.c_str(), &made) != 0 || !S_ISDIR(made.st_mode) ||
                      made.st_uid != UnprivilegedUser().uid)) {
    status = absl::FailedPreconditionError(target + " belongs to somebody else");
  }
  RETURN_IF_ERROR(status);
  return target + "/data";
}

absl::Status CopyDataTemplate(const std::string& data_template, const std::string& data_dir) {
  RETURN_IF_ERROR(Run({.argv = {"/bin/cp", "-a", data_template, data_dir}, .drop_root = true}));
  std::random_device random;
  const uint64_t identifier = (uint64_t{random()} << 32 | random()) >> 1;
  RETURN_IF_ERROR(SetIdentifierInControlFile(data_dir, identifier));
  return SetIdentifierInWal(data_dir, identifier);
}

}  // namespace switchyard::testing
