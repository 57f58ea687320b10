#include "common/pg/console.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/libpq.h"

namespace switchyard::pg {
namespace {

using internal::ConnectionPtr;
using internal::FirstLine;
using internal::LostConnection;
using internal::Ready;
using internal::ResultPtr;
using internal::WaitForSocket;

absl::Status NoAnswer(std::string_view what) {
  return absl::DeadlineExceededError(absl::StrCat("no answer in time to: ", Sv(what)));
}

absl::Status AwaitConnected(PGconn* connection, absl::Time deadline) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return LostConnection(connection);
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (WaitForSocket(PQsocket(connection), events, deadline, nullptr) != Ready::kReady) {
      return NoAnswer("connect");
    }
    state = PQconnectPoll(connection);
  }
  return absl::OkStatus();
}

ConsoleRows RowsOf(const PGresult* result) {
  ConsoleRows rows(static_cast<size_t>(PQntuples(result)));
  for (int row = 0; row < PQntuples(result); ++row) {
    for (int column = 0; column < PQnfields(result); ++column) {
      rows[static_cast<size_t>(row)][PQfname(result, column)] = PQgetvalue(result, row, column);
    }
  }
  return rows;
}

}  // namespace

struct Console::Impl {
  ConnectionPtr connection;

  // The next result once it is here; null at the end of the command.
  absl::StatusOr<ResultPtr> Next(std::string_view command, absl::Time deadline) {
    while (PQisBusy(connection.get()) != 0) {
      if (WaitForSocket(PQsocket(connection.get()), POLLIN, deadline, nullptr) != Ready::kReady) {
        return NoAnswer(command);
      }
      if (PQconsumeInput(connection.get()) == 0) return LostConnection(connection.get());
    }
    return ResultPtr(PQgetResult(connection.get()));
  }
};

Console::Console(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Console::~Console() = default;

absl::StatusOr<std::unique_ptr<Console>> Console::Connect(const std::string& dsn,
                                                          absl::Time deadline) {
  PQconninfoOption* parsed = PQconninfoParse(dsn.c_str(), nullptr);
  // libpq's own message may quote what it stumbled over, a password.
  if (parsed == nullptr) {
    return absl::InvalidArgumentError("the connection string of the console does not parse");
  }
  PQconninfoFree(parsed);
  auto impl = std::make_unique<Impl>();
  impl->connection.reset(PQconnectStart(dsn.c_str()));
  PGconn* connection = impl->connection.get();
  if (connection == nullptr) return absl::ResourceExhaustedError("no memory for a connection");
  if (PQstatus(connection) == CONNECTION_BAD) return LostConnection(connection);
  RETURN_IF_ERROR(AwaitConnected(connection, deadline));
  return std::unique_ptr<Console>(new Console(std::move(impl)));
}

absl::StatusOr<ConsoleRows> Console::Run(std::string_view command, absl::Time deadline) {
  PGconn* connection = impl_->connection.get();
  if (connection == nullptr) return absl::UnavailableError("the console was closed");
  if (PQsendQuery(connection, std::string(command).c_str()) == 0) return LostConnection(connection);
  ConsoleRows rows;
  absl::Status refused;
  while (true) {
    absl::StatusOr<ResultPtr> result = impl_->Next(command, deadline);
    if (!result.ok()) {
      impl_->connection.reset();
      return result.status();
    }
    if (*result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result->get());
    if (status == PGRES_TUPLES_OK) rows = RowsOf(result->get());
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      refused =
          Refuse(absl::StrCat(Sv(command), ": ", FirstLine(PQresultErrorMessage(result->get()))),
                 "give its user the right to, or mend what it says");
    }
  }
  if (PQstatus(connection) == CONNECTION_BAD) {
    impl_->connection.reset();
    return absl::UnavailableError(absl::StrCat("lost the console: ", refused.message()));
  }
  if (!refused.ok()) return refused;
  return rows;
}

}  // namespace switchyard::pg
