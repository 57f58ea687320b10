// Tails one topic of a SQLite log file, from this or another process.
//
// Read transactions last only while blocks are copied out, so that they never hold up a
// checkpoint. Between them the reader sleeps on an inotify watch of the file, whose time stamps
// the writer touches after every commit.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/part.h"
#include "common/eventlog/sqlite_db.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {

class SqliteReader : public LogReader {
 public:
  static absl::StatusOr<std::unique_ptr<LogReader>> Open(const std::string& path,
                                                         const std::string& topic, Offset from,
                                                         const Cancel& cancel);
  ~SqliteReader() override;

  absl::Status Read(absl::Duration timeout, std::vector<LogRecord>* records) override;
  absl::Status Seek(Offset offset) override;

 private:
  SqliteReader(std::unique_ptr<SqliteDb> db, std::string topic, Offset from, const Cancel& cancel);

  // True when there was something, be it only parts of a record. Unavailable may pass.
  absl::StatusOr<bool> Fetch(std::vector<LogRecord>* records);
  absl::Status TakeBlock(Offset first, int64_t count, std::string_view payload,
                         std::vector<LogRecord>* records);
  void StartWatch();
  void WarnOf(const absl::Status& trouble);
  void TroubleIsOver();
  void WaitForNews(absl::Time deadline);
  absl::Status Named(const absl::Status& status) const;

  const std::unique_ptr<SqliteDb> db_;
  const std::string topic_;
  const Cancel& cancel_;
  SqliteStatement select_;
  FileIdentity file_;
  int inotify_ = -1;  // -1: no watch could be had, the file is looked at often instead

  Offset next_;  // the next block wanted begins at, or contains, this offset
  PartJoiner joiner_;
  // What the views of the last Read point into. Buffers are used again, the first `used_` now.
  std::deque<std::string> buffers_;
  size_t used_ = 0;
  std::deque<std::string> joined_;
  std::vector<LogRecord> parsed_;
  absl::Time next_warning_;  // InfinitePast while all is well
};

}  // namespace switchyard::eventlog
