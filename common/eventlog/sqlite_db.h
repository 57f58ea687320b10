// One SQLite connection to a log file, its statements, and SQLite's errors as Status.
//
//   ASSIGN_OR_RETURN(auto db, SqliteDb::Open(path));
//   ASSIGN_OR_RETURN(SqliteStatement find, db->Prepare("SELECT 1 FROM topics WHERE name = ?"));
//   find.BindText(1, topic);
//   ASSIGN_OR_RETURN(const bool found, find.Step());
//
// Thread-compatible: one thread at a time uses a connection and its statements. Statements must
// go before their connection.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::eventlog {

// What to do about a log file that is damaged or cut short: nothing on it can be trusted.
inline constexpr char kDamagedLogRemedy[] =
    "end capture and replay, move the file away, and begin anew: switchyard recopy FILE "
    "--all";

class SqliteDb;

class SqliteStatement {
 public:
  SqliteStatement() = default;

  // Bound text and blobs are not copied; they must live until Reset.
  void BindInt(int index, int64_t value);
  void BindText(int index, std::string_view value);
  void BindBlob(int index, std::string_view value);

  // True when there is a row, false at the end; errors as SqliteDb::Error.
  absl::StatusOr<bool> Step();
  // Runs to the end and resets.
  absl::Status Run();
  // Ends the read transaction of this statement; rows of it are gone.
  void Reset();

  int64_t ColumnInt(int column) const;
  // Valid until the next Step or Reset.
  std::string_view ColumnText(int column) const;
  std::string_view ColumnBlob(int column) const;

 private:
  friend class SqliteDb;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  SqliteStatement(const SqliteDb* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}

  const SqliteDb* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteDb {
 public:
  // Opens an existing file for reading and writing. `busy_timeout`: how long a statement waits
  // for another process's lock before it is Unavailable.
  static absl::StatusOr<std::unique_ptr<SqliteDb>> Open(const std::string& path,
                                                        absl::Duration busy_timeout);
  // The same, making the file if there is none.
  static absl::StatusOr<std::unique_ptr<SqliteDb>> Create(const std::string& path);

  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql) const;
  // The first column of the first row.
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  // Rolls back if a transaction is open; for after an error.
  void Rollback();

  // The last error of this connection as a Status:
  //   Unavailable         no space, I/O error, locked by another process: may pass
  //   FailedPrecondition  not a database, no permission, cannot be opened
  //   DataLoss            damaged
  //   Internal            anything else
  absl::Status Error(int code, std::string_view doing) const;

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  explicit SqliteDb(std::string path) : path_(std::move(path)) {}
  static absl::StatusOr<std::unique_ptr<SqliteDb>> OpenWith(const std::string& path, int flags,
                                                            absl::Duration busy_timeout);

  const std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace switchyard::eventlog
