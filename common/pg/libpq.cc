#include "common/pg/libpq.h"

#include <poll.h>

#include <array>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"
#include "common/base/wait/poll_timeout.h"

namespace switchyard::pg::internal {
namespace {

std::string Field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

}  // namespace

ErrorFields FieldsOf(const PGresult* result) {
  return {.sqlstate = Field(result, PG_DIAG_SQLSTATE),
          .schema = Field(result, PG_DIAG_SCHEMA_NAME),
          .table = Field(result, PG_DIAG_TABLE_NAME),
          .column = Field(result, PG_DIAG_COLUMN_NAME),
          .constraint = Field(result, PG_DIAG_CONSTRAINT_NAME),
          .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
          .primary = Field(result, PG_DIAG_MESSAGE_PRIMARY),
          .datatype = Field(result, PG_DIAG_DATATYPE_NAME),
          .hint = Field(result, PG_DIAG_MESSAGE_HINT),
          .context = Field(result, PG_DIAG_CONTEXT),
          .position = Field(result, PG_DIAG_STATEMENT_POSITION),
          .severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED),
          .source_function = Field(result, PG_DIAG_SOURCE_FUNCTION)};
}

Ready WaitForSocket(int fd, short events, absl::Time deadline, const Cancel* cancel) {
  while (true) {
    if (cancel != nullptr && cancel->requested()) return Ready::kCancelled;
    std::array<pollfd, 2> fds = {
        {{.fd = fd, .events = events, .revents = 0},
         {.fd = cancel == nullptr ? -1 : cancel->fd(), .events = POLLIN, .revents = 0}}};
    const int count = poll(fds.data(), fds.size(), PollTimeout(deadline));
    if (count > 0 && fds[1].revents != 0) return Ready::kCancelled;
    if (count > 0) return Ready::kReady;
    if (absl::Now() >= deadline) return Ready::kTimeout;
  }
}

std::string FirstLine(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  const size_t prefix = text.find(":  ");
  if (prefix != std::string_view::npos) text.remove_prefix(prefix + 3);
  return std::string(text);
}

absl::Status LostConnection(PGconn* connection) {
  std::string reason = FirstLine(PQerrorMessage(connection));
  if (reason.empty()) reason = "connection closed";
  return absl::UnavailableError(absl::StrCat("lost the connection to the database: ", reason));
}

absl::Status StatusFromResult(PGconn* connection, const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_BAD_RESPONSE:
    case PGRES_FATAL_ERROR:
      break;
    default:
      return absl::OkStatus();
  }
  const ErrorFields fields = FieldsOf(result);
  if (!fields.sqlstate.empty()) return StatusFromFields(fields);
  if (PQstatus(connection) == CONNECTION_BAD) {
    std::string reason = FirstLine(PQresultErrorMessage(result));
    return absl::UnavailableError(absl::StrCat("lost the connection to the database: ", reason));
  }
  return absl::InvalidArgumentError(FirstLine(PQresultErrorMessage(result)));
}

void SendCancelRequest(PGconn* connection, absl::Duration timeout) {
  PGcancel* request = PQgetCancel(connection);
  if (request == nullptr) return;
  struct Attempt {
    Mutex mu;
    CondVar changed;
    bool done ABSL_GUARDED_BY(mu) = false;
  };
  // PQcancel blocks, with a silent server for ever. So it gets a thread, which may be left behind;
  // what both sides use is therefore shared.
  const auto attempt = std::make_shared<Attempt>();
  std::thread([request, attempt] {
    std::array<char, 256> error;
    PQcancel(request, error.data(), static_cast<int>(error.size()));
    PQfreeCancel(request);
    MutexLock lock(&attempt->mu);
    attempt->done = true;
    attempt->changed.SignalAll();
  }).detach();
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&attempt->mu);
  while (!attempt->done && absl::Now() < deadline) {
    attempt->changed.WaitFor(&attempt->mu, deadline - absl::Now());
  }
}

absl::Status AsPrecondition(const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  return WithCode(absl::StatusCode::kFailedPrecondition, status);
}

bool EndsConnection(PGconn* connection, const absl::Status& status) {
  const std::string severity = StatusErrorFields(status).severity;
  return severity == "FATAL" || severity == "PANIC" || PQstatus(connection) == CONNECTION_BAD;
}

}  // namespace switchyard::pg::internal
