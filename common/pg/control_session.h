// SQL of the control plane, over libpqxx: what people ask of a migration, and the decisions about
// it. Short statements in scoped transactions; docs/design/0001 says why the data plane has
// pg::Session.
//
//   ASSIGN_OR_RETURN(auto session, ControlSession::Connect({.dsn = dsn}, cancel));
//   RETURN_IF_ERROR(session->InTransaction([&](ControlTransaction& tx) -> absl::Status {
//     ASSIGN_OR_RETURN(const Rows open, tx.Query("SELECT id FROM t WHERE kind = $1", {"recopy"}));
//     return tx.Execute("UPDATE t SET state = 'done' WHERE id = $1", {open.str(0, 0)});
//   }));
//
// Exceptions end here. There is no silent reconnect: a lost connection is Unavailable, and the
// session is dead. A COMMIT whose answer was lost is Unknown: read again what tells whether it
// happened. Settings, connecting and error codes are those of session.h and error.h.
//
// Every statement ends by its deadline (kStatementTimeout, or the one given): the server is told to
// stop, then the socket is shut; DeadlineExceeded comes back. Cancel ends it likewise (Cancelled).
//
// Thread-compatible. The Cancel must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/rows.h"
#include "common/pg/session.h"

namespace switchyard::pg {

inline constexpr absl::Duration kStatementTimeout = absl::Minutes(5);

struct TransactionOptions {
  bool repeatable_read = false;  // else read committed
  bool read_only = false;
  absl::Duration statement_timeout = kStatementTimeout;
};

// One transaction while its body runs. After an error every further statement is Aborted.
class ControlTransaction {
 public:
  virtual ~ControlTransaction() = default;
  virtual absl::StatusOr<Rows> Query(std::string_view sql,
                                     const std::vector<Param>& params = {}) = 0;
  absl::Status Execute(std::string_view sql, const std::vector<Param>& params = {});
};

class ControlSession {
 public:
  // Errors as Session::Connect.
  static absl::StatusOr<std::unique_ptr<ControlSession>> Connect(const SessionOptions& options,
                                                                 const Cancel& cancel);
  ~ControlSession();
  ControlSession(const ControlSession&) = delete;
  ControlSession& operator=(const ControlSession&) = delete;

  // Committed when `body` returns OK, rolled back otherwise. Unknown: the answer to COMMIT was
  // lost.
  absl::Status InTransaction(absl::FunctionRef<absl::Status(ControlTransaction&)> body,
                             const TransactionOptions& options = {});
  // One statement in a transaction of its own.
  absl::StatusOr<Rows> Query(std::string_view sql, const std::vector<Param>& params = {},
                             const TransactionOptions& options = {});

  bool alive() const;
  int server_version() const;  // 150018
  int backend_pid() const;

 private:
  struct Impl;
  explicit ControlSession(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::pg
