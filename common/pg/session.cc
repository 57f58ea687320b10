#include "common/pg/session.h"

#include <poll.h>
#include <sys/socket.h>

#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/libpq.h"

namespace switchyard::pg {
namespace {

using internal::ResultPtr;

// Time a server gets to answer a cancel request, or a COMMIT or ROLLBACK during shutdown, before
// the connection is closed instead.
constexpr absl::Duration kWindDown = absl::Seconds(3);
// The same for a cancel request during shutdown: a role has several sessions, one after the other,
// and a frozen server answers none of them.
constexpr absl::Duration kWindDownCancel = absl::Seconds(1);

absl::Duration CancelTime(const Cancel& cancel) {
  return cancel.requested() ? kWindDownCancel : kWindDown;
}

// Parameters in the shape libpq wants them; refers to `params`.
std::vector<const char*> CStrings(const std::vector<Param>& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const Param& param : params) values.push_back(param.has_value() ? param->c_str() : nullptr);
  return values;
}

// Of a prepared statement: the server has lost it, or its columns are others now.
bool IsStale(const absl::Status& error) {
  const ErrorFields fields = StatusErrorFields(error);
  return fields.sqlstate == "26000" ||
         (fields.sqlstate == "0A000" && fields.source_function == "RevalidateCachedQuery");
}

absl::Status AsAborted(const absl::Status& error) {
  return WithErrorFields(absl::AbortedError(error.message()), StatusErrorFields(error));
}

}  // namespace

void Result::Deleter::operator()(PGresult* result) const { PQclear(result); }
int Result::rows() const { return PQntuples(result_.get()); }
int Result::columns() const { return PQnfields(result_.get()); }
std::string_view Result::column_name(int column) const {
  const char* name = PQfname(result_.get(), column);
  SY_CHECK(name != nullptr);
  return name;
}
uint32_t Result::column_type(int column) const { return PQftype(result_.get(), column); }
int32_t Result::column_modifier(int column) const { return PQfmod(result_.get(), column); }
bool Result::column_is_plain(int column) const { return PQftable(result_.get(), column) != 0; }
bool Result::is_null(int row, int column) const {
  SY_CHECK(row >= 0 && row < rows() && column >= 0 && column < columns());
  return PQgetisnull(result_.get(), row, column) != 0;
}
std::string_view Result::text(int row, int column) const {
  SY_CHECK(row >= 0 && row < rows() && column >= 0 && column < columns());
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}
int64_t Result::i64(int row, int column) const {
  int64_t value = 0;
  SY_CHECK(absl::SimpleAtoi(Sv(text(row, column)), &value));
  return value;
}
int64_t Result::affected() const {
  int64_t count = 0;
  return absl::SimpleAtoi(PQcmdTuples(result_.get()), &count) ? count : 0;
}
std::string_view Result::command_tag() const { return PQcmdStatus(result_.get()); }

PGconn* Session::Release() {
  closed_ = true;
  return std::exchange(connection_, nullptr);
}

Session::~Session() {
  // A statement nobody waits for any more would go on, and keep its locks.
  if (alive() && PQtransactionStatus(connection_) == PQTRANS_ACTIVE) {
    internal::SendCancelRequest(connection_, CancelTime(cancel_));
  }
  PQfinish(connection_);
}

bool Session::alive() const { return !closed_ && PQstatus(connection_) == CONNECTION_OK; }
int Session::server_version() const { return PQserverVersion(connection_); }
int Session::backend_pid() const { return PQbackendPID(connection_); }

// ---- Sending and waiting

absl::Status Session::Sent(int ok) {
  if (ok != 0) return absl::OkStatus();
  if (!alive()) return internal::LostConnection(connection_);
  return absl::InvalidArgumentError(internal::FirstLine(PQerrorMessage(connection_)));
}

absl::Status Session::AwaitSocket(short events, const Limits& limits) {
  const Cancel* cancel = limits.heed_cancel ? &cancel_ : nullptr;
  switch (internal::WaitForSocket(PQsocket(connection_), events, limits.deadline, cancel)) {
    case internal::Ready::kCancelled:
      return cancel_.status();
    case internal::Ready::kTimeout:
      return absl::DeadlineExceededError("the database gave no answer in time");
    case internal::Ready::kReady:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Session::Flush(const Limits& limits) {
  while (true) {
    const int pending = PQflush(connection_);
    if (pending < 0 || (pending > 0 && !alive())) return internal::LostConnection(connection_);
    if (pending == 0) return absl::OkStatus();
    RETURN_IF_ERROR(AwaitSocket(POLLIN | POLLOUT, limits));
    if (PQconsumeInput(connection_) == 0) return internal::LostConnection(connection_);
  }
}

absl::StatusOr<PGresult*> Session::NextResult(const Limits& limits) {
  // A lost connection is not reported here but by PQgetResult, which then does not block: what
  // the server said last may still be in the buffer.
  bool lost = false;
  if (absl::Status flushed = Flush(limits); !flushed.ok()) {
    if (!absl::IsUnavailable(flushed)) return flushed;
    lost = true;
  }
  while (!lost && PQisBusy(connection_) != 0) {
    RETURN_IF_ERROR(AwaitSocket(POLLIN, limits));
    lost = PQconsumeInput(connection_) == 0;
  }
  return PQgetResult(connection_);
}

absl::StatusOr<Result> Session::Collect(const Limits& limits) {
  absl::Status failure;
  ResultPtr last;
  while (true) {
    ASSIGN_OR_RETURN(PGresult * next, NextResult(limits));
    if (next == nullptr) break;
    last.reset(next);
    absl::Status status = internal::StatusFromResult(connection_, next);
    if (status.ok()) status = LeaveCopy(next, limits);
    if (absl::IsDeadlineExceeded(status) || absl::IsCancelled(status)) return status;
    if (failure.ok()) failure = status;
  }
  RETURN_IF_ERROR(failure);
  if (last == nullptr) return internal::LostConnection(connection_);
  return Result(last.release());
}

absl::Status Session::LeaveCopy(const PGresult* result, const Limits& limits) {
  switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
      PQputCopyEnd(connection_, "not expected here");
      return absl::OkStatus();  // the server reports the failed COPY
    case PGRES_COPY_BOTH:
      Close();
      return absl::InvalidArgumentError("a session can't stream replication");
    case PGRES_COPY_OUT:
      break;
    default:
      return absl::OkStatus();
  }
  while (true) {
    char* line = nullptr;
    const int size = PQgetCopyData(connection_, &line, /*async=*/1);
    PQfreemem(line);
    if (size < 0) break;
    if (size > 0) continue;
    RETURN_IF_ERROR(AwaitSocket(POLLIN, limits));
    if (PQconsumeInput(connection_) == 0) break;
  }
  return absl::InvalidArgumentError("COPY TO STDOUT needs CopyOut");
}

absl::StatusOr<Result> Session::Wait(const Limits& limits) {
  absl::StatusOr<Result> result = Collect(limits);
  if (absl::IsCancelled(result.status()) || absl::IsDeadlineExceeded(result.status())) Interrupt();
  return result;
}

void Session::Interrupt() {
  const absl::Duration time = CancelTime(cancel_);
  const absl::Time deadline = absl::Now() + time;
  internal::SendCancelRequest(connection_, time);
  const auto drained = Collect({.deadline = deadline, .heed_cancel = false});
  if (absl::IsDeadlineExceeded(drained.status())) Close();
}

void Session::Close() {
  closed_ = true;
  shutdown(PQsocket(connection_), SHUT_RDWR);
}

// ---- Statements

absl::Status Session::Execute(std::string_view sql) { return Query(sql).status(); }

absl::StatusOr<Result> Session::Query(std::string_view sql, const std::vector<Param>& params) {
  return Run(sql, params, {});
}

absl::StatusOr<Result> Session::QueryWithin(absl::Duration timeout, std::string_view sql,
                                            const std::vector<Param>& params) {
  return Run(sql, params, {.deadline = absl::Now() + timeout});
}

absl::StatusOr<Result> Session::Run(std::string_view sql, const std::vector<Param>& params,
                                    const Limits& limits) {
  RETURN_IF_ERROR(cancel_.status());
  const std::string text(sql);
  if (params.empty()) {
    RETURN_IF_ERROR(Sent(PQsendQuery(connection_, text.c_str())));
  } else {
    RETURN_IF_ERROR(
        Sent(PQsendQueryParams(connection_, text.c_str(), static_cast<int>(params.size()), nullptr,
                               CStrings(params).data(), nullptr, nullptr, 0)));
  }
  return Wait(limits);
}

absl::StatusOr<std::string> Session::Prepare(const std::string& sql) {
  const auto found = prepared_.find(sql);
  if (found != prepared_.end()) return found->second;
  std::string name = absl::StrCat("switchyard_", prepared_names_++);
  RETURN_IF_ERROR(Sent(PQsendPrepare(connection_, name.c_str(), sql.c_str(), 0, nullptr)));
  RETURN_IF_ERROR(Wait({}).status());
  prepared_.emplace(sql, name);
  return name;
}

absl::StatusOr<Result> Session::QueryPrepared(const std::string& sql,
                                              const std::vector<Param>& params) {
  if (prepared_.size() >= kPreparedMax && !prepared_.contains(sql)) return Query(sql, params);
  RETURN_IF_ERROR(cancel_.status());
  ASSIGN_OR_RETURN(const std::string name, Prepare(sql));
  RETURN_IF_ERROR(
      Sent(PQsendQueryPrepared(connection_, name.c_str(), static_cast<int>(params.size()),
                               CStrings(params).data(), nullptr, nullptr, 0)));
  absl::StatusOr<Result> result = Wait({});
  if (!result.ok() && IsStale(result.status())) {
    prepared_.erase(sql);
    return AsAborted(result.status());
  }
  return result;
}

// ---- Notifications

absl::StatusOr<std::vector<std::string>> Session::TakeNotifications() {
  if (!alive() || PQconsumeInput(connection_) == 0) return internal::LostConnection(connection_);
  std::vector<std::string> payloads;
  while (PGnotify* notification = PQnotifies(connection_)) {
    payloads.emplace_back(notification->extra);
    PQfreemem(notification);
  }
  return payloads;
}

absl::Status Session::AwaitMessage(absl::Duration timeout) {
  if (!alive()) return internal::LostConnection(connection_);
  const absl::Status waited = AwaitSocket(POLLIN, {.deadline = absl::Now() + timeout});
  return absl::IsDeadlineExceeded(waited) ? absl::OkStatus() : waited;
}

int Session::socket() const { return PQsocket(connection_); }

// ---- Transactions

absl::Status Session::Begin(std::string_view mode) {
  return Execute(absl::StrCat("BEGIN ", Sv(mode)));
}

absl::StatusOr<std::vector<Result>> Session::BeginWith(const std::vector<Statement>& statements) {
  RETURN_IF_ERROR(cancel_.status());
  std::vector<std::string> names;
  for (const Statement& statement : statements) {
    ASSIGN_OR_RETURN(names.emplace_back(), Prepare(statement.sql));
  }
  RETURN_IF_ERROR(Sent(PQenterPipelineMode(connection_)));
  const absl::Status sent = SendBegin(statements, names);
  absl::StatusOr<std::vector<Result>> results =
      sent.ok() ? CollectBegun() : absl::StatusOr<std::vector<Result>>(sent);
  if (absl::IsCancelled(results.status())) {
    internal::SendCancelRequest(connection_, CancelTime(cancel_));
  }
  if (PQexitPipelineMode(connection_) == 0) Close();  // some of it was not sent, or not answered
  if (results.ok()) return results;
  Rollback();
  if (!IsStale(results.status())) return results;
  for (const Statement& statement : statements) prepared_.erase(statement.sql);
  return AsAborted(results.status());
}

absl::Status Session::SendBegin(const std::vector<Statement>& statements,
                                const std::vector<std::string>& names) {
  RETURN_IF_ERROR(
      Sent(PQsendQueryParams(connection_, "BEGIN", 0, nullptr, nullptr, nullptr, nullptr, 0)));
  for (size_t i = 0; i < statements.size(); ++i) {
    const std::vector<Param>& params = statements[i].params;
    RETURN_IF_ERROR(
        Sent(PQsendQueryPrepared(connection_, names[i].c_str(), static_cast<int>(params.size()),
                                 CStrings(params).data(), nullptr, nullptr, 0)));
  }
  return Sent(PQpipelineSync(connection_));
}

// What a statement that failed keeps from running gives no result.
absl::StatusOr<std::vector<Result>> Session::CollectBegun() {
  std::vector<Result> results;
  absl::Status failure;
  while (true) {
    ASSIGN_OR_RETURN(PGresult * next, NextResult({}));
    if (next == nullptr && alive()) continue;  // between the statements
    if (next == nullptr) return failure.ok() ? internal::LostConnection(connection_) : failure;
    Result result(next);
    if (PQresultStatus(next) == PGRES_PIPELINE_SYNC) break;
    if (failure.ok()) failure = internal::StatusFromResult(connection_, next);
    if (failure.ok()) results.push_back(std::move(result));
  }
  RETURN_IF_ERROR(failure);
  results.erase(results.begin());  // of BEGIN
  return results;
}

absl::Status Session::Commit() {
  RETURN_IF_ERROR(cancel_.status());
  if (!alive()) return internal::LostConnection(connection_);
  const int sent = PQsendQuery(connection_, "COMMIT");
  if (sent == 0 && alive()) return Sent(sent);  // refused before anything was written
  absl::StatusOr<Result> result = Collect({});
  if (absl::IsCancelled(result.status())) {
    result = Collect({.deadline = absl::Now() + kWindDown, .heed_cancel = false});
  }
  if (result.ok()) {
    if (result->command_tag() == "COMMIT") return absl::OkStatus();
    return Refuse("the transaction was rolled back at COMMIT: one of its statements had failed",
                  "that server's log has the statement; start again");
  }
  const absl::Status& status = result.status();
  if (absl::IsDeadlineExceeded(status)) Close();
  if (!absl::IsDeadlineExceeded(status) && !internal::EndsConnection(connection_, status)) {
    return status;
  }
  return WithErrorFields(
      absl::UnknownError(absl::StrCat("no answer to COMMIT: ", status.message())),
      StatusErrorFields(status));
}

void Session::Rollback() {
  if (!alive()) return;
  const Limits limits = {.deadline = absl::Now() + kWindDown, .heed_cancel = false};
  if (PQtransactionStatus(connection_) == PQTRANS_ACTIVE) {
    // A COPY under way, or a statement whose answer was not awaited.
    if (absl::IsDeadlineExceeded(Collect(limits).status())) return Close();
  }
  if (PQtransactionStatus(connection_) == PQTRANS_IDLE) return;
  if (PQsendQuery(connection_, "ROLLBACK") == 0 || !Collect(limits).ok()) Close();
}

absl::Status Session::InTransaction(absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(Begin());
  absl::Status status = body();
  if (!status.ok()) {
    Rollback();
    return status;
  }
  absl::Status committed = Commit();
  if (!committed.ok()) Rollback();
  return committed;
}

}  // namespace switchyard::pg
