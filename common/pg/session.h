// One SQL connection over libpq. No exceptions, no silent reconnects: a lost connection is an
// Unavailable (or, during COMMIT, an Unknown) status and the session is dead; make a new one.
//
//   ASSIGN_OR_RETURN(auto session, Session::Connect({.dsn = dsn, .application_name = "switchyard replay"}, cancel));
//   RETURN_IF_ERROR(session->Execute("CREATE TABLE t (id int); CREATE INDEX ON t (id)"));
//   ASSIGN_OR_RETURN(Result r, session->Query("SELECT id FROM t WHERE id = $1", {"7"}));
//
// Every session starts with the settings under which values travel in text form (DateStyle and so
// on, see kTextFormSettings) and with the time-outs a role or database may carry switched off.
// Errors carry the SQLSTATE: StatusSqlState(status). Message texts never hold the DSN.
//
// Thread-compatible: one thread at a time. Cancel ends any wait with Cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/cancel.h"
#include "common/base/status.h"

extern "C" {
typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
}

namespace switchyard::pg {

struct SessionOptions {
  std::string dsn;               // libpq connection string or URI
  std::string application_name;  // shown in pg_stat_activity
  // Further run-time settings, sent as start options: {"session_replication_role", "replica"}.
  std::vector<std::pair<std::string, std::string>> settings;
  absl::Duration connect_timeout = absl::Seconds(10);
};

// A query parameter: text form, or NULL as nullopt.
using Param = std::optional<std::string>;

// Rows of one statement, text form. Movable; views into it live as long as it.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}
  int rows() const;
  int columns() const;
  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;  // "" for NULL
  std::string str(int row, int column) const { return std::string(text(row, column)); }
  // SY_CHECKs that the text is an integer: only for columns that are integers by type.
  int64_t i64(int row, int column) const;
  bool boolean(int row, int column) const { return text(row, column) == "t"; }
  // Rows touched by INSERT, UPDATE, DELETE, COPY; 0 for other statements.
  int64_t affected() const;

 private:
  struct Deleter {
    void operator()(PGresult* result) const;
  };
  std::unique_ptr<PGresult, Deleter> result_;
};

class Session {
 public:
  // Unavailable: host unreachable, starting up, too many connections. FailedPrecondition: wrong
  // password, no such database, no pg_hba entry. InvalidArgument: the DSN does not parse.
  static absl::StatusOr<std::unique_ptr<Session>> Connect(const SessionOptions& options,
                                                          const Cancel& cancel);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One or more statements by the simple protocol; results are dropped.
  absl::Status Execute(std::string_view sql);
  // One statement. With params by the extended protocol ($1 ...), planned anew each time.
  absl::StatusOr<Result> Query(std::string_view sql, const std::vector<Param>& params = {});
  // As Query, prepared at first use under a name derived from the text and kept for the session.
  absl::StatusOr<Result> QueryPrepared(const std::string& sql, const std::vector<Param>& params = {});

  // COPY ... FROM STDIN. `sql` is the COPY statement. Data may be cut anywhere between the calls.
  absl::Status BeginCopyIn(std::string_view sql);
  absl::Status PutCopyData(std::string_view data);
  absl::StatusOr<int64_t> EndCopyIn();            // rows copied
  absl::Status AbortCopyIn(std::string_view why); // leaves the transaction failed

  // COPY ... TO STDOUT: `line` gets one whole line with its newline per call. An error returned by
  // it cancels the COPY and is returned.
  absl::Status CopyOut(std::string_view sql,
                       absl::FunctionRef<absl::Status(std::string_view line)> line);

  absl::Status Begin(std::string_view mode = "");  // "ISOLATION LEVEL REPEATABLE READ READ ONLY"
  // Unknown when the connection was lost while waiting: re-read what tells whether it happened.
  absl::Status Commit();
  // Best effort; a dead connection has rolled back already.
  void Rollback();
  // Begin, body, Commit; Rollback when the body fails.
  absl::Status InTransaction(absl::FunctionRef<absl::Status()> body);

  // Waits for a NOTIFY on a channel LISTENed to; nullopt after `timeout`.
  struct Notification {
    std::string channel;
    std::string payload;
  };
  absl::StatusOr<std::optional<Notification>> WaitNotification(absl::Duration timeout);

  bool alive() const;
  int server_version() const;   // 150018
  int backend_pid() const;
  PGconn* raw() { return connection_; }  // for common/pg only

 private:
  Session(PGconn* connection, const Cancel& cancel) : connection_(connection), cancel_(cancel) {}
  absl::StatusOr<Result> Wait(bool in_commit);

  PGconn* connection_;
  const Cancel& cancel_;
  std::vector<std::string> prepared_;  // statement texts, index = name suffix
};

// The five-character SQLSTATE a Session error carries, or "" (connection errors, other statuses).
std::string StatusSqlState(const absl::Status& status);
// The relation, constraint and column fields of the server's error, "" when absent.
struct ErrorFields {
  std::string sqlstate, schema, table, column, constraint, detail, primary;
};
ErrorFields StatusErrorFields(const absl::Status& status);

}  // namespace switchyard::pg
