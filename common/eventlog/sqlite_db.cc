#include "common/eventlog/sqlite_db.h"

#include <cstring>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::eventlog {
namespace {

absl::Status StatusOf(int sqlite_code, std::string_view text) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return absl::UnavailableError(Sv(text));
    case SQLITE_NOTADB:
      return Refuse(text, "name a file under log.sqlite that is a log, or is not there yet");
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return Refuse(
          text, "let the user that runs this read and write the file, and make files beside it");
    case SQLITE_CORRUPT:
      return Lost(text, kDamagedLogRemedy);
    default:
      return absl::InternalError(Sv(text));
  }
}

}  // namespace

void SqliteStatement::BindInt(int index, int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
}
void SqliteStatement::BindText(int index, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}
void SqliteStatement::BindBlob(int index, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC);
}

absl::StatusOr<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const absl::Status error = db_->Error(code, sqlite3_sql(statement_.get()));
  Reset();
  return error;
}

absl::Status SqliteStatement::Run() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) break;
  }
  Reset();
  return absl::OkStatus();
}

void SqliteStatement::Reset() { sqlite3_reset(statement_.get()); }

int64_t SqliteStatement::ColumnInt(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
std::string_view SqliteStatement::ColumnText(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
std::string_view SqliteStatement::ColumnBlob(int column) const {
  const auto* blob = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (blob == nullptr) return {};
  return {blob, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

absl::StatusOr<std::unique_ptr<SqliteDb>> SqliteDb::OpenWith(const std::string& path, int flags,
                                                             absl::Duration busy_timeout) {
  std::unique_ptr<SqliteDb> db(new SqliteDb(path));
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  db->handle_.reset(handle);
  if (code != SQLITE_OK) return db->Error(code, "open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(absl::ToInt64Milliseconds(busy_timeout)));
  return db;
}

absl::StatusOr<std::unique_ptr<SqliteDb>> SqliteDb::Open(const std::string& path,
                                                         absl::Duration busy_timeout) {
  ASSIGN_OR_RETURN(auto db, OpenWith(path, SQLITE_OPEN_READWRITE, busy_timeout));
  // FULL: a commit is durable when it returns. Checkpoints are rarely anybody's but the
  // committer's. What is trimmed is not overwritten first: that costs as much room and time as it
  // sets free.
  RETURN_IF_ERROR(
      db->Execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                  "PRAGMA secure_delete = OFF;"));
  return db;
}

absl::StatusOr<std::unique_ptr<SqliteDb>> SqliteDb::Create(const std::string& path) {
  return OpenWith(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, absl::Seconds(5));
}

absl::Status SqliteDb::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, sql);
}

absl::StatusOr<SqliteStatement> SqliteDb::Prepare(const std::string& sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.c_str(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error(code, sql);
  return SqliteStatement(this, statement);
}

absl::StatusOr<int64_t> SqliteDb::QueryInt(const std::string& sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.ColumnInt(0) : 0;
}

void SqliteDb::Rollback() {
  if (sqlite3_get_autocommit(handle_.get()) == 0) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

absl::Status SqliteDb::Error(int code, std::string_view doing) const {
  const int system_error = sqlite3_system_errno(handle_.get());
  const bool show_errno =
      system_error != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_FULL ||
                            (code & 0xff) == SQLITE_CANTOPEN);
  const std::string text = absl::StrFormat(
      "log file %s: %s%s%s (SQLite code %d, in: %s)", path_, sqlite3_errmsg(handle_.get()),
      show_errno ? ": " : "", show_errno ? std::strerror(system_error) : "", code, doing);
  return StatusOf(code, text);
}

}  // namespace switchyard::eventlog
