// The log file of SqliteLog: its format, and how a file is made and recognised.
//
// A SQLite database in WAL mode with application_id "SWYD" and user_version = format version:
//   topics    number, name, id (random UUID of this incarnation)
//   blocks_N  the records of topic number N: first_offset, count, payload. Offsets have no gaps.
//             `payload` holds `count` records, each its length as a varint and its bytes.
// The newest block of a topic is never trimmed away, so that the next offset is known.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/sqlite_db.h"

namespace switchyard::eventlog {

inline constexpr uint32_t kLogApplicationId = 0x53575944;  // "SWYD"
inline constexpr uint32_t kLogFormatVersion = 1;
// Appending costs 0.55 us a record with pages of 4 kB and 0.35 us with these; larger ones gain
// little and make the commit of a single small transaction slower.
inline constexpr int kLogPageBytes = 16384;

// Makes the file if there is none, whole or not at all; otherwise checks that it is a log of a
// version known here, without changing it. FailedPrecondition: foreign, empty, newer, or no
// permission. DataLoss: shorter than a header. Unavailable: no space.
absl::Status PrepareLogFile(const std::string& path);

// Logs a warning if the file, or what SQLite keeps beside it, can be opened by other users.
void WarnOfOtherReaders(const std::string& path);

// Whether PrepareLogFile would find or make a log there that can be written. Changes nothing.
absl::Status CheckLogPath(const std::string& path);

// Which file a path names: an open connection does not notice when it is removed or replaced.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
};
absl::StatusOr<FileIdentity> IdentityOf(const std::string& path);
// DataLoss when `path` no longer names `file`; Unavailable when that can't be told now.
absl::Status CheckSameFile(const std::string& path, const FileIdentity& file);

struct SqliteTopic {
  int64_t number = 0;
  std::string id;
};
// NotFound when there is none.
absl::StatusOr<SqliteTopic> FindTopic(SqliteDb& db, std::string_view name);
// Makes it if there is none.
absl::Status MakeTopic(SqliteDb& db, std::string_view name);

// "blocks_7".
std::string BlocksTable(int64_t topic_number);

// Appends one record to the payload of a block.
void AppendToBlock(std::string_view record, std::string* block);
// Appends views of the records of a block, offsets counted up from `first`. DataLoss when the
// payload does not hold exactly `count` records.
absl::Status ParseBlock(std::string_view payload, Offset first, int64_t count,
                        std::vector<LogRecord>* records);

}  // namespace switchyard::eventlog
