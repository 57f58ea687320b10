// One SQL connection over libpq. No exceptions, no silent reconnects: a lost connection is an
// Unavailable (or, during COMMIT, an Unknown) status and the session is dead; make a new one.
//
//   ASSIGN_OR_RETURN(auto session, Session::Connect({.dsn = dsn}, cancel));
//   RETURN_IF_ERROR(session->Execute("CREATE TABLE t (id int); CREATE INDEX ON t (id)"));
//   ASSIGN_OR_RETURN(Result r, session->Query("SELECT id FROM t WHERE id = $1", {"7"}));
//
// Every session has search_path = pg_catalog, the settings under which values travel in text form
// and no time-outs of roles or databases. A pooler that mixes sessions is refused: settings.h.
// Errors carry the SQLSTATE: see error.h for which code means what. Messages never hold the DSN.
//
// A statement outside a transaction whose connection is lost may have happened all the same:
// Unavailable does not say that it did not.
//
// Thread-compatible: one thread at a time. Cancel ends any wait with Cancelled, and what the
// server was running is cancelled with it; only a COMMIT gets a few seconds to be answered. The
// Cancel must outlive the session. The one wait that can't be cut short is the look-up of a host
// name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/connection_string.h"
#include "common/pg/error.h"

extern "C" {
typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
}

namespace switchyard::pg {

// What both ends fix, so that a value's text means the same everywhere, whatever the role,
// database or environment says. client_encoding is UTF8 besides. settings.h has some more.
struct Setting {
  std::string_view name;
  std::string_view value;
  int since_version = 0;  // server_version from which it exists; 0: everywhere
};
inline constexpr Setting kTextFormSettings[] = {
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"extra_float_digits", "3"},
    {"bytea_output", "hex"},
    {"lc_monetary", "C"},
    {"xmloption", "content"},
    {"array_nulls", "on"},
    {"standard_conforming_strings", "on"},
    // An error instead of half a table.
    {"row_security", "off"},
    {"default_transaction_isolation", "read committed"},
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"idle_session_timeout", "0", 140000},
    {"transaction_timeout", "0", 170000},
};

struct SessionOptions {
  ConnectionString dsn;          // libpq connection string or URI
  std::string application_name;  // shown in pg_stat_activity
  // Further run-time settings, sent as start options: {"session_replication_role", "replica"}.
  std::vector<std::pair<std::string, std::string>> settings;
  absl::Duration connect_timeout = absl::Seconds(10);  // over all hosts of the DSN
  // A walsender of that database: replication commands, and SQL by the simple protocol only.
  bool replication = false;
};

// A query parameter: text form, or NULL as nullopt.
using Param = std::optional<std::string>;

// One with its parameters ($1 ...).
struct Statement {
  std::string sql;
  std::vector<Param> params;
};

// Rows of one statement, text form. Movable; views into it live as long as it.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}
  int rows() const;
  int columns() const;
  std::string_view column_name(int column) const;
  // A domain as the type it is over; the modifier is -1 without one.
  uint32_t column_type(int column) const;
  int32_t column_modifier(int column) const;
  // Whether it is a table's column as it is, not computed.
  bool column_is_plain(int column) const;
  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;  // "" for NULL
  std::string str(int row, int column) const { return std::string(text(row, column)); }
  // SY_CHECKs that the text is an integer: only for columns that are integers by type.
  int64_t i64(int row, int column) const;
  bool boolean(int row, int column) const { return text(row, column) == "t"; }
  // Rows touched by INSERT, UPDATE, DELETE, MERGE, COPY, or returned by SELECT; else 0.
  int64_t affected() const;
  // "INSERT 0 1", "COMMIT"
  std::string_view command_tag() const;

 private:
  struct Deleter {
    void operator()(PGresult* result) const;
  };
  std::unique_ptr<PGresult, Deleter> result_;
};

class Session {
 public:
  // Unavailable: host unreachable, starting up, too many connections. FailedPrecondition: wrong
  // password, database or pg_hba entry; pooled by transaction. InvalidArgument: no DSN.
  static absl::StatusOr<std::unique_ptr<Session>> Connect(const SessionOptions& options,
                                                          const Cancel& cancel);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One or more statements by the simple protocol; results are dropped. Stops at the first error.
  absl::Status Execute(std::string_view sql);
  // One statement; without params by the simple protocol, with them by the extended one ($1 ...),
  // planned anew each time.
  absl::StatusOr<Result> Query(std::string_view sql, const std::vector<Param>& params = {});
  // As Query, but given up after `timeout`: the server is told to stop, and DeadlineExceeded comes
  // back. A transaction around it has failed then.
  absl::StatusOr<Result> QueryWithin(absl::Duration timeout, std::string_view sql,
                                     const std::vector<Param>& params = {});
  // As Query, prepared at first use and kept for the session (up to kPreparedMax texts, others are
  // run unprepared). Aborted, and prepared anew next time, when DDL changed the result's columns.
  absl::StatusOr<Result> QueryPrepared(const std::string& sql,
                                       const std::vector<Param>& params = {});
  static constexpr size_t kPreparedMax = 1000;

  // COPY ... FROM STDIN. `sql` is the COPY statement. Data may be cut anywhere between the calls,
  // and may be of any size: at most about 256 KiB wait in memory. The server's refusal of a row
  // comes from EndCopyIn.
  absl::Status BeginCopyIn(std::string_view sql);
  absl::Status PutCopyData(std::string_view data);
  absl::StatusOr<int64_t> EndCopyIn();             // rows copied
  absl::Status AbortCopyIn(std::string_view why);  // leaves the transaction failed

  // COPY ... TO STDOUT: `line` gets one whole line with its newline per call. An error returned by
  // it cancels the COPY and is returned.
  absl::Status CopyOut(std::string_view sql,
                       absl::FunctionRef<absl::Status(std::string_view line)> line);

  absl::Status Begin(std::string_view mode = "");  // "ISOLATION LEVEL REPEATABLE READ READ ONLY"
  // Begin and these, each as QueryPrepared, in one round trip: every one of them is on its way
  // before the first is answered. A result for each; after an error all is rolled back.
  absl::StatusOr<std::vector<Result>> BeginWith(const std::vector<Statement>& statements);
  // Unknown when the connection was lost, or shutdown came, while waiting: re-read what tells
  // whether it happened. FailedPrecondition when a statement had failed before, so that the server
  // rolled back. Other errors: not committed.
  absl::Status Commit();
  // Best effort, also after shutdown was requested; a session that can't roll back is closed, and
  // so has rolled back.
  void Rollback();
  // Begin, body, Commit; Rollback when the body fails.
  absl::Status InTransaction(absl::FunctionRef<absl::Status()> body);

  // After LISTEN, outside a transaction: the payloads of what was notified since the last call.
  // Reads what has come, without waiting. Unavailable: the connection is lost.
  absl::StatusOr<std::vector<std::string>> TakeNotifications();
  // Waits until the server says something (a notification, or that it ends), `timeout` at most. Not
  // while TakeNotifications would give some.
  absl::Status AwaitMessage(absl::Duration timeout);
  // Readable then, too: for a wait that is for more than that. -1: the connection is lost.
  int socket() const;

  bool alive() const;
  int server_version() const;  // 150018
  int backend_pid() const;

  // For common/pg only: the connection itself, and START_REPLICATION on it.
  PGconn* raw() { return connection_; }
  // Gives the connection away; the session is closed.
  PGconn* Release();
  absl::Status BeginCopyBoth(std::string_view sql);

 private:
  // How long a wait may take, and whether shutdown ends it.
  struct Limits {
    absl::Time deadline = absl::InfiniteFuture();
    bool heed_cancel = true;
  };

  Session(PGconn* connection, const Cancel& cancel) : connection_(connection), cancel_(cancel) {}

  absl::Status ApplyVersionedSettings();
  absl::Status Sent(int ok);
  absl::Status AwaitSocket(short events, const Limits& limits);
  absl::Status Flush(const Limits& limits);
  absl::StatusOr<PGresult*> NextResult(const Limits& limits);
  absl::Status LeaveCopy(const PGresult* result, const Limits& limits);
  // The last result of what was sent, or the first error.
  absl::StatusOr<Result> Collect(const Limits& limits);
  // Collect; when it is cut short the server is told to stop, and its answer awaited briefly.
  absl::StatusOr<Result> Wait(const Limits& limits);
  absl::StatusOr<Result> Run(std::string_view sql, const std::vector<Param>& params,
                             const Limits& limits);
  void Interrupt();
  // The server sees the end of the connection; ours lasts until the destructor.
  void Close();
  absl::StatusOr<std::string> Prepare(const std::string& sql);
  absl::Status SendBegin(const std::vector<Statement>& statements,
                         const std::vector<std::string>& names);
  absl::StatusOr<std::vector<Result>> CollectBegun();
  absl::Status BeginCopy(std::string_view sql, int wanted);

  PGconn* connection_;
  const Cancel& cancel_;
  std::unordered_map<std::string, std::string> prepared_;  // statement text -> name
  int64_t prepared_names_ = 0;
  bool closed_ = false;
  int64_t unflushed_bytes_ = 0;  // COPY data handed to libpq since its buffer was last seen empty
};

}  // namespace switchyard::pg
