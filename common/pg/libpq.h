// What Session and ReplicationStream share on top of libpq: opening a connection, waiting on its
// socket, and turning its errors into Status. Internal to common/pg.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"

namespace switchyard::pg::internal {

struct ConnectionDeleter {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionPtr = std::unique_ptr<PGconn, ConnectionDeleter>;

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

// An open, non-blocking connection with the text-form settings of start-up in force. Tries the
// hosts of the connection string in turn. Errors as Session::Connect.
absl::StatusOr<ConnectionPtr> OpenConnection(const SessionOptions& options, const Cancel& cancel);

enum class Ready { kReady, kTimeout, kCancelled };

// Waits until `fd` has one of `events` (POLLIN, POLLOUT) or an error. `cancel` may be null.
Ready WaitForSocket(int fd, short events, absl::Time deadline, const Cancel* cancel);

// What an error or a notice of the server holds.
ErrorFields FieldsOf(const PGresult* result);

// OK for every result but an error. An error with no SQLSTATE is a lost connection (Unavailable)
// when the connection is gone, else libpq's own refusal (InvalidArgument).
absl::Status StatusFromResult(PGconn* connection, const PGresult* result);

// Unavailable, with libpq's reason.
absl::Status LostConnection(PGconn* connection);

// The first line of libpq's last message, without its "ERROR:  " prefix.
std::string FirstLine(std::string_view text);

// Asks the server to end what this connection runs; returns when the request was taken, or after
// `timeout`.
void SendCancelRequest(PGconn* connection, absl::Duration timeout);

// Replication commands name objects that a person has to make or mend: InvalidArgument becomes
// FailedPrecondition, SQLSTATE kept.
absl::Status AsPrecondition(const absl::Status& status);

// True when the error ended the connection, so that a COMMIT under way may have happened.
bool EndsConnection(PGconn* connection, const absl::Status& status);

}  // namespace switchyard::pg::internal
