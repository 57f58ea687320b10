#include "common/pg/control_session.h"

#include <exception>
#include <optional>
#include <pqxx/pqxx>
#include <utility>

#include "common/base/strings.h"
#include "common/pg/libpq.h"
#include "common/pg/watchdog.h"

namespace switchyard::pg {
namespace {

using internal::Watchdog;

#if PQXX_VERSION_MAJOR >= 7
using Adopted = pqxx::connection;
std::unique_ptr<Adopted> Adopt(PGconn* connection) {
  return std::make_unique<Adopted>(pqxx::connection::seize_raw_connection(connection));
}
#else
// libpqxx 6 makes connections through a policy; this one hands over a connection that is there,
// once.
class HandOver : public pqxx::connectionpolicy {
 public:
  explicit HandOver(PGconn* connection) : connectionpolicy(""), connection_(connection) {}
  handle do_startconnect(handle orig) override {
    return orig != nullptr ? orig : std::exchange(connection_, nullptr);
  }
  handle do_completeconnect(handle orig) override { return orig; }
  bool is_ready(handle connection) const noexcept override { return connection != nullptr; }

 private:
  PGconn* connection_;
};

class Adopted : private HandOver, public pqxx::connection_base {
 public:
  explicit Adopted(PGconn* connection)
      : HandOver(connection), connection_base(static_cast<HandOver&>(*this)) {
    init();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    inhibit_reactivation(true);  // a new connection would have none of our settings and locks
#pragma GCC diagnostic pop
  }
  ~Adopted() { close(); }
};
std::unique_ptr<Adopted> Adopt(PGconn* connection) { return std::make_unique<Adopted>(connection); }
#endif

// libpqxx tells some SQLSTATEs by the type of the exception only, and no DETAIL. The text of a
// server that was asked to be verbose has them: "ERROR:  42501: must be owner of schema s", and
// lines that begin with "DETAIL:  " and "HINT:  ".
ErrorFields FieldsIn(std::string_view report, std::string_view sqlstate = "") {
  const auto line = [&](std::string_view label) -> std::string {
    const size_t at = report.find(label);
    if (at == std::string_view::npos) return "";
    const std::string_view rest = report.substr(at + label.size());
    return std::string(rest.substr(0, rest.find('\n')));
  };
  ErrorFields fields = {.sqlstate = std::string(sqlstate),
                        .detail = line("\nDETAIL:  "),
                        .primary = internal::FirstLine(report),
                        .hint = line("\nHINT:  ")};
  if (fields.primary.size() > 7 && fields.primary.compare(5, 2, ": ") == 0) {
    fields.sqlstate = fields.primary.substr(0, 5);
    fields.primary.erase(0, 7);
  }
  return fields;
}

// The exception under way as a status.
absl::Status CurrentError() {
  try {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    return absl::UnknownError(
        "the connection was lost while the server committed: what was asked may have happened");
  } catch (const pqxx::broken_connection& e) {
    return absl::UnavailableError(
        absl::StrCat("lost the connection to the database: ", internal::FirstLine(e.what())));
  } catch (const pqxx::sql_error& e) {
    return StatusFromFields(FieldsIn(e.what(), e.sqlstate()));
  } catch (const pqxx::serialization_failure& e) {
    return StatusFromFields(FieldsIn(e.what(), "40001"));
  } catch (const pqxx::deadlock_detected& e) {
    return StatusFromFields(FieldsIn(e.what(), "40P01"));
  } catch (const pqxx::statement_completion_unknown& e) {
    return StatusFromFields(FieldsIn(e.what(), "40003"));
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("SQL client: ", internal::FirstLine(e.what())));
  }
}

pqxx::result Exec(pqxx::transaction_base& transaction, std::string_view sql,
                  const std::vector<Param>& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const Param& param : params) values.push_back(param.has_value() ? param->c_str() : nullptr);
  return transaction.exec_params(std::string(sql), pqxx::prepare::make_dynamic_params(values));
}

using pqxx::isolation_level;
constexpr auto kReadOnly = pqxx::read_only;
constexpr auto kReadWrite = pqxx::read_write;

std::unique_ptr<pqxx::dbtransaction> BeginTransaction(Adopted& connection,
                                                      const TransactionOptions& options) {
  if (options.repeatable_read && options.read_only) {
    return std::make_unique<pqxx::transaction<isolation_level::repeatable_read, kReadOnly>>(
        connection);
  }
  if (options.repeatable_read) {
    return std::make_unique<pqxx::transaction<isolation_level::repeatable_read, kReadWrite>>(
        connection);
  }
  if (options.read_only) {
    return std::make_unique<pqxx::transaction<isolation_level::read_committed, kReadOnly>>(
        connection);
  }
  return std::make_unique<pqxx::transaction<isolation_level::read_committed, kReadWrite>>(
      connection);
}

class PqxxCells : public Rows::Cells {
 public:
  explicit PqxxCells(pqxx::result result) : result_(std::move(result)) {}
  int rows() const override { return static_cast<int>(result_.size()); }
  int columns() const override { return static_cast<int>(result_.columns()); }
  bool is_null(int row, int column) const override { return result_[row][column].is_null(); }
  std::string_view text(int row, int column) const override {
    const auto field = result_[row][column];
    return {field.c_str(), field.size()};
  }
  int64_t affected() const override { return static_cast<int64_t>(result_.affected_rows()); }

 private:
  const pqxx::result result_;
};

}  // namespace

absl::Status ControlTransaction::Execute(std::string_view sql, const std::vector<Param>& params) {
  return Query(sql, params).status();
}

struct ControlSession::Impl {
  std::unique_ptr<Adopted> connection;
  std::unique_ptr<Watchdog> watchdog;  // after the connection: goes before it
  const Cancel* cancel = nullptr;
  int server_version = 0;
  int backend_pid = 0;

  // What `work`, one exchange with the server, ended with; as a fired watchdog explains it.
  absl::Status Watched(absl::Duration timeout, absl::FunctionRef<void()> work) {
    RETURN_IF_ERROR(cancel->status());
    absl::Status status;
    {
      const Watchdog::Watch watch(*watchdog, timeout);
      try {
        work();
      } catch (...) {
        status = CurrentError();
      }
    }
    if (status.ok() || absl::IsUnknown(status)) return status;
    switch (watchdog->fired()) {
      case Watchdog::Fired::kNo:
        return status;
      case Watchdog::Fired::kShutdown:
        return cancel->status();
      case Watchdog::Fired::kDeadline:
        return absl::DeadlineExceededError(
            absl::StrCat("the database gave no answer within ", absl::FormatDuration(timeout)));
    }
    return status;
  }
};

namespace {

class PqxxTransaction : public ControlTransaction {
 public:
  using Watched = absl::FunctionRef<absl::Status(absl::FunctionRef<void()> work)>;

  PqxxTransaction(pqxx::dbtransaction& transaction, Watched watched)
      : transaction_(transaction), watched_(watched) {}

  absl::StatusOr<Rows> Query(std::string_view sql, const std::vector<Param>& params) override {
    if (!failed_.ok()) return absl::AbortedError("a statement of this transaction had failed");
    std::optional<Rows> rows;
    failed_ = watched_(
        [&] { rows.emplace(std::make_shared<PqxxCells>(Exec(transaction_, sql, params))); });
    if (!failed_.ok()) return failed_;
    return *std::move(rows);
  }
  // OK, or why it can't be committed.
  const absl::Status& failed() const { return failed_; }

 private:
  pqxx::dbtransaction& transaction_;
  Watched watched_;
  absl::Status failed_;
};

}  // namespace

ControlSession::ControlSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlSession::~ControlSession() = default;

absl::StatusOr<std::unique_ptr<ControlSession>> ControlSession::Connect(
    const SessionOptions& options, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto session, Session::Connect(options, cancel));
  auto impl = std::make_unique<Impl>();
  impl->cancel = &cancel;
  impl->server_version = session->server_version();
  impl->backend_pid = session->backend_pid();
  PGconn* const connection = session->Release();
  PQsetnonblocking(connection, 0);
  try {
    impl->connection = Adopt(connection);
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // for FieldsIn
  } catch (...) {
    return CurrentError();
  }
  impl->watchdog = std::make_unique<Watchdog>(connection, cancel);
  return std::unique_ptr<ControlSession>(new ControlSession(std::move(impl)));
}

absl::Status ControlSession::InTransaction(
    absl::FunctionRef<absl::Status(ControlTransaction&)> body, const TransactionOptions& options) {
  const auto watched = [&](absl::FunctionRef<void()> work) {
    return impl_->Watched(options.statement_timeout, work);
  };
  std::unique_ptr<pqxx::dbtransaction> transaction;
  RETURN_IF_ERROR(watched([&] { transaction = BeginTransaction(*impl_->connection, options); }));
  absl::Status done;
  {
    PqxxTransaction scope(*transaction, watched);
    done = body(scope);
    if (done.ok()) done = scope.failed();
  }
  if (done.ok()) done = watched([&] { transaction->commit(); });
  // A rollback is an exchange, too; what it meets changes nothing.
  [[maybe_unused]] const absl::Status left = watched([&] { transaction.reset(); });
  transaction.reset();
  return done;
}

absl::StatusOr<Rows> ControlSession::Query(std::string_view sql, const std::vector<Param>& params,
                                           const TransactionOptions& options) {
  std::optional<Rows> rows;
  RETURN_IF_ERROR(InTransaction(
      [&](ControlTransaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(rows, transaction.Query(sql, params));
        return absl::OkStatus();
      },
      options));
  return *std::move(rows);
}

bool ControlSession::alive() const { return impl_->connection->is_open(); }
int ControlSession::server_version() const { return impl_->server_version; }
int ControlSession::backend_pid() const { return impl_->backend_pid; }

}  // namespace switchyard::pg
