// An EventLog in one SQLite file (see sqlite_file.h for the format): nothing else to install.
//
// Any number of processes read, each topic has one writing process at a time. Records carry no
// keys. Offsets grow by 1.
//
// Thread-safe; its writers and readers are thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/sqlite_committer.h"
#include "common/eventlog/sqlite_db.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {

class SqliteLog : public EventLog {
 public:
  // Makes the file if there is none. FailedPrecondition, DataLoss: it is no log of ours, of a
  // newer format, or damaged; it is not changed then. `cancel` must outlive the log.
  static absl::StatusOr<std::unique_ptr<SqliteLog>> Open(const std::string& path,
                                                         const Cancel& cancel);

  absl::Status CreateTopic(const std::string& topic) override;
  absl::StatusOr<TopicInfo> Describe(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                        Offset from) override;
  absl::Status Trim(const std::string& topic, Offset before) override;

 private:
  SqliteLog(std::string path, const Cancel& cancel);

  absl::StatusOr<bool> TrimSome(const std::string& table, Offset before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One short transaction; true when there may be more to do.
  absl::StatusOr<bool> TrimStep(const std::string& table, Offset before);
  absl::Status GiveBackSpace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string path_;
  const Cancel& cancel_;
  Mutex mu_;
  std::unique_ptr<SqliteDb> db_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteCommitter> committer_ ABSL_GUARDED_BY(mu_);  // with the first writer
};

}  // namespace switchyard::eventlog
