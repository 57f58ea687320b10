#include "common/eventlog/sqlite_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/varint.h"

namespace switchyard::eventlog {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeaderBytes = 100;
constexpr char kMayNotUse[] =
    "let the user that runs this read and write the file and its folder, or name another under "
    "log.sqlite";

std::string RandomUuid() {
  std::random_device random;
  std::array<uint32_t, 4> w{};
  for (uint32_t& word : w) word = random();
  w[1] = (w[1] & 0xffff0fff) | 0x00004000;  // version 4
  w[2] = (w[2] & 0x3fffffff) | 0x80000000;  // variant 1
  return absl::StrFormat("%08x-%04x-%04x-%04x-%04x%08x", w[0], w[1] >> 16, w[1] & 0xffff,
                         w[2] >> 16, w[2] & 0xffff, w[3]);
}

absl::Status ErrnoStatus(const std::string& path, std::string_view doing) {
  const bool space = errno == ENOSPC || errno == EDQUOT;
  const std::string text =
      absl::StrFormat("log file %s: cannot %s: %s", path, doing, std::strerror(errno));
  return space ? absl::UnavailableError(text) : Refuse(text, kMayNotUse);
}

absl::Status Truncated(const std::string& path, int64_t bytes, const std::string& wanted) {
  return Lost(absl::StrFormat("log file %s is truncated: %d bytes, %s", path, bytes, wanted),
              kDamagedLogRemedy);
}

uint32_t BigEndian32(const unsigned char* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | at[3];
}

// The first bytes of the file, read through SQLite's own file layer: closing a descriptor of our
// own would drop the POSIX locks that other connections of this process hold on the file.
absl::StatusOr<std::string> ReadHeader(const std::string& path) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  const std::unique_ptr<void, decltype(&std::free)> memory(
      std::calloc(1, static_cast<size_t>(vfs->szOsFile)), &std::free);
  auto* file = static_cast<sqlite3_file*>(memory.get());
  // A name passed to xOpen needs the layout that only SQLite makes.
  char* name = const_cast<char*>(sqlite3_create_filename(path.c_str(), "", "", 0, nullptr));
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
  int code = vfs->xOpen(vfs, name, file, flags, &flags);
  std::string header;
  if (code == SQLITE_OK) {
    sqlite3_int64 size = 0;
    code = file->pMethods->xFileSize(file, &size);
    header.resize(std::min<size_t>(static_cast<size_t>(size), kHeaderBytes));
    if (code == SQLITE_OK && !header.empty()) {
      code = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
    }
    file->pMethods->xClose(file);
  }
  sqlite3_free_filename(name);
  if (code == SQLITE_OK) return header;
  return Refuse(absl::StrFormat("log file %s: cannot be read: %s", path, sqlite3_errstr(code)),
                kMayNotUse);
}

bool HasWal(const std::string& path) {
  struct stat info {};
  return stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

// Against the number of pages in the header, which counts where no WAL holds newer ones.
absl::Status CheckLength(const std::string& path, const unsigned char* header) {
  const uint32_t page_bytes = static_cast<uint32_t>(header[16]) << 8 | header[17];
  const bool counted = BigEndian32(header + 24) == BigEndian32(header + 92);
  const int64_t wanted =
      int64_t{BigEndian32(header + 28)} * (page_bytes == 1 ? 65536 : static_cast<int>(page_bytes));
  struct stat info {};
  if (!counted || stat(path.c_str(), &info) != 0 || info.st_size >= wanted || HasWal(path)) {
    return absl::OkStatus();
  }
  return Truncated(path, info.st_size, absl::StrFormat("its header says %d", wanted));
}

absl::Status CheckLogFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return Refuse(absl::StrFormat("log file %s is a folder", path), "name a file under log.sqlite");
  }
  // Looked for on both sides: a program that ends just now moves pages out of it.
  const bool had_wal = HasWal(path);
  ASSIGN_OR_RETURN(const std::string header, ReadHeader(path));
  if (header.empty()) {
    return Refuse(absl::StrFormat("log file %s is empty: it was truncated or is not a log", path),
                  "remove it to start a new log");
  }
  static constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (std::string_view(header).substr(0, kMagic.size()) != kMagic.substr(0, header.size())) {
    return Refuse(
        absl::StrFormat("%s is not a log file: it does not begin with a SQLite header", path),
        "name another file under log.sqlite");
  }
  if (header.size() < kHeaderBytes) {
    return Truncated(path, static_cast<int64_t>(header.size()), "less than its header");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(header.data());
  const uint32_t version = BigEndian32(bytes + 60);
  const uint32_t application_id = BigEndian32(bytes + 68);
  if (application_id != kLogApplicationId) {
    return Refuse(
        absl::StrFormat("%s is a SQLite database of another program (application id %d, a "
                        "log has %d)",
                        path, application_id, kLogApplicationId),
        "name another file under log.sqlite");
  }
  if (version != kLogFormatVersion) {
    return Refuse(absl::StrFormat("log file %s has format version %d; this program knows %d", path,
                                  version, kLogFormatVersion),
                  "use the program that wrote it");
  }
  if (bytes[18] != 2) {
    return Refuse(absl::StrFormat("log file %s is not in WAL mode", path),
                  absl::StrFormat("run: sqlite3 %s 'PRAGMA journal_mode = WAL'", path));
  }
  return had_wal ? absl::OkStatus() : CheckLength(path, bytes);
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const fs::path directory = fs::path(path).parent_path();
  const int fd =
      open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(path, "open its folder");
  const int failed = fsync(fd);
  close(fd);
  return failed == 0 ? absl::OkStatus() : ErrnoStatus(path, "sync its folder");
}

// It holds every row of every mapped table. SQLite makes what stands beside it as wide.
absl::Status MakePrivate(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(path, "be created");
  close(fd);
  return absl::OkStatus();
}

absl::Status WriteNewLog(const std::string& path) {
  RETURN_IF_ERROR(MakePrivate(path));
  ASSIGN_OR_RETURN(auto db, SqliteDb::Create(path));
  RETURN_IF_ERROR(db->Execute(absl::StrFormat(
      "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL;"
      "PRAGMA application_id = %d; PRAGMA user_version = %d;",
      kLogPageBytes, kLogApplicationId, kLogFormatVersion)));
  RETURN_IF_ERROR(db->Execute(
      "CREATE TABLE topics(number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
      " id TEXT NOT NULL)"));
  // Last, so that all of it is in the file itself and the WAL is empty.
  return db->Execute("PRAGMA journal_mode = WAL");
}

void RemoveDatabase(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path + suffix, ignored);
}

absl::Status CheckFolderOf(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const auto refuse = [&](const std::string& why, std::string_view next) {
    return Refuse(absl::StrFormat("log file %s: its folder %s %s", path, folder, why), next);
  };
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) {
    if (errno == ENOENT) return refuse("does not exist", "make it, or mend log.sqlite");
    return refuse(std::string("can't be opened: ") + std::strerror(errno), kMayNotUse);
  }
  if (!S_ISDIR(info.st_mode))
    return refuse("is no folder", "name a file in a folder under log.sqlite");
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return absl::OkStatus();
  return refuse(std::string("can't be written to, and SQLite keeps files beside the log: ") +
                    std::strerror(errno),
                kMayNotUse);
}

// Looked for in this order: another process that makes the log just now makes its WAL last.
absl::Status RefuseLoneWal(const std::string& path) {
  if (access((path + "-wal").c_str(), F_OK) == 0 && access(path.c_str(), F_OK) != 0) {
    return Refuse(
        absl::StrFormat("%s-wal exists, but %s does not: the log file was moved away", path, path),
        "put it back, or remove the -wal file to start a new log");
  }
  return absl::OkStatus();
}

absl::Status MakeLogFile(const std::string& path) {
  RETURN_IF_ERROR(CheckFolderOf(path));
  RETURN_IF_ERROR(RefuseLoneWal(path));
  const std::string fresh = path + ".new-" + RandomUuid();
  absl::Status made = WriteNewLog(fresh);
  // Another process may make the same log at this moment: then its file stands.
  if (made.ok() &&
      renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0 &&
      errno != EEXIST) {
    made = ErrnoStatus(path, "be created");
  }
  RemoveDatabase(fresh);
  RETURN_IF_ERROR(made);
  RETURN_IF_ERROR(SyncDirectoryOf(path));
  return CheckLogFile(path);
}

}  // namespace

absl::Status PrepareLogFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) return CheckLogFile(path);
  if (errno != ENOENT) return ErrnoStatus(path, "be opened");
  return MakeLogFile(path);
}

absl::Status CheckLogPath(const std::string& path) {
  struct stat info {};
  const bool there = stat(path.c_str(), &info) == 0;
  if (!there && errno != ENOENT && errno != ENOTDIR) return ErrnoStatus(path, "be opened");
  RETURN_IF_ERROR(there ? CheckLogFile(path) : RefuseLoneWal(path));
  RETURN_IF_ERROR(CheckFolderOf(path));
  if (!there || faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(path, "be written to");
}

void WarnOfOtherReaders(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info {};
    if (stat((path + suffix).c_str(), &info) != 0 || (info.st_mode & 077) == 0) continue;
    LogWarn("eventlog", "others than its owner may open the log, which holds rows of OLD",
            {{"path", path + suffix},
             {"mode", absl::StrFormat("%04o", info.st_mode & 07777)},
             {"next", absl::StrFormat("chmod go= %s*", path)}});
    return;
  }
}

absl::StatusOr<FileIdentity> IdentityOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(path, "be found");
  return FileIdentity{.device = info.st_dev, .inode = info.st_ino};
}

absl::Status CheckSameFile(const std::string& path, const FileIdentity& file) {
  struct stat info {};
  const bool there = stat(path.c_str(), &info) == 0;
  if (there && info.st_dev == file.device && info.st_ino == file.inode) return absl::OkStatus();
  if (!there && errno != ENOENT && errno != ENOTDIR) {
    return absl::UnavailableError(
        absl::StrFormat("log file %s can't be looked at: %s", path, std::strerror(errno)));
  }
  return Lost(absl::StrFormat("log file %s was removed or replaced while it was in use", path),
              "put it back and start again, or, if it is gone: switchyard recopy FILE --all");
}

absl::StatusOr<SqliteTopic> FindTopic(SqliteDb& db, std::string_view name) {
  ASSIGN_OR_RETURN(auto find, db.Prepare("SELECT number, id FROM topics WHERE name = ?"));
  find.BindText(1, name);
  ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) {
    return absl::NotFoundError(absl::StrFormat("log file %s has no topic %s", db.path(), name));
  }
  return SqliteTopic{.number = find.ColumnInt(0), .id = std::string(find.ColumnText(1))};
}

absl::Status MakeTopic(SqliteDb& db, std::string_view name) {
  RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE"));
  const auto make = [&]() -> absl::Status {
    absl::Status found = FindTopic(db, name).status();
    if (!absl::IsNotFound(found)) return found;
    ASSIGN_OR_RETURN(auto insert, db.Prepare("INSERT INTO topics(name, id) VALUES (?, ?)"));
    const std::string id = RandomUuid();
    insert.BindText(1, name);
    insert.BindText(2, id);
    RETURN_IF_ERROR(insert.Run());
    return db.Execute(
        absl::StrFormat("CREATE TABLE %s(first_offset INTEGER PRIMARY KEY, count INTEGER NOT NULL,"
                        " payload BLOB NOT NULL)",
                        BlocksTable(sqlite3_last_insert_rowid(db.handle()))));
  };
  absl::Status made = make();
  if (made.ok()) made = db.Execute("COMMIT");
  db.Rollback();
  return made;
}

std::string BlocksTable(int64_t topic_number) { return absl::StrFormat("blocks_%d", topic_number); }

void AppendToBlock(std::string_view record, std::string* block) {
  AppendVarint(record.size(), block);
  block->append(record);
}

absl::Status ParseBlock(std::string_view payload, Offset first, int64_t count,
                        std::vector<LogRecord>* records) {
  size_t at = 0;
  Offset offset = first;
  while (at < payload.size()) {
    uint64_t length = 0;
    if (!ReadVarint(payload, &at, &length)) {
      return Lost(absl::StrFormat("block at offset %d: a record's length is cut off", first),
                  kDamagedLogRemedy);
    }
    if (length > payload.size() - at) {
      return Lost(absl::StrFormat("block at offset %d: a record is cut off", first),
                  kDamagedLogRemedy);
    }
    records->push_back({.offset = offset++, .payload = payload.substr(at, length)});
    at += length;
  }
  if (offset - first != count) {
    return Lost(absl::StrFormat("block at offset %d: holds %d records, not %d", first,
                                offset - first, count),
                kDamagedLogRemedy);
  }
  return absl::OkStatus();
}

}  // namespace switchyard::eventlog
