// The first moments of a session: what stands between it and a backend, and what it sets.
#include <cstdlib>
#include <string>

#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/libpq.h"
#include "common/pg/session.h"
#include "common/pg/settings.h"

namespace switchyard::pg {
namespace {

// A pool that is used up gives a second connection no backend; the first one keeps its own then, or
// it would have given that to the second.
constexpr absl::Duration kPoolWait = absl::Seconds(2);
// Tries to catch two clients on one backend. A pool hands out what came back last, so the first
// try does; one that goes round shows another backend within a few.
constexpr int kTries = 3;

constexpr char kNextStep[] =
    "let the connection string lead to the server itself, or pool by session (PgBouncer: "
    "pool_mode = session for this database or user)";

absl::Status PooledByTransaction() {
  return Refuse(
      "the connection leads through a pooler that gives the statements of one session to several "
      "backends: settings and locks of Switchyard would reach the application's sessions",
      kNextStep);
}

absl::StatusOr<int64_t> BackendNow(Session& session) {
  ASSIGN_OR_RETURN(const Result row, session.Query("SELECT pg_catalog.pg_backend_pid()"));
  return row.i64(0, 0);
}

absl::Status RefuseStatementPooler(Session& session) {
  const absl::Status begun = session.Execute("BEGIN");
  if (begun.ok()) return session.Execute("ROLLBACK");
  if (StatusSqlState(begun) != "08P01") return begun;
  return Refuse(
      absl::StrCat("the connection leads through a pooler that pools by statement and lets "
                   "nobody have a transaction (",
                   begun.message(), ")"),
      kNextStep);
}

// Whether two clients of a pooler are given one backend. Sets nothing, and leaves nothing behind.
absl::Status RefuseSharedBackend(Session& session, Session& other) {
  for (int i = 0; i < kTries; ++i) {
    ASSIGN_OR_RETURN(const int64_t mine, BackendNow(session));
    const auto theirs = other.QueryWithin(kPoolWait, "BEGIN; SELECT pg_catalog.pg_backend_pid()");
    const bool served = theirs.ok();
    if (!served && !absl::IsDeadlineExceeded(theirs.status()) && other.alive()) {
      return theirs.status();
    }
    if (served && theirs->i64(0, 0) == mine) return PooledByTransaction();
    const auto still = session.QueryWithin(kPoolWait, "SELECT pg_catalog.pg_backend_pid()");
    const bool given_away = absl::IsDeadlineExceeded(still.status());
    if (given_away || (still.ok() && still->i64(0, 0) != mine)) return PooledByTransaction();
    RETURN_IF_ERROR(still.status());
    if (!served) break;
    other.Rollback();
  }
  return absl::OkStatus();
}

// As the start options do, and other than SET: a list stays one text.
std::string SetConfig(std::string_view name, std::string_view value) {
  return absl::StrCat("SELECT pg_catalog.set_config(", QuoteLiteral(name), ", ",
                      QuoteLiteral(value), ", false);");
}

// `all`: a pooler has dropped what came with the start-up packet.
std::string SettingsSql(const SessionOptions& options, bool all) {
  std::string sql = SetConfig("search_path", kSearchPath);
  if (all) {
    for (const Setting& setting : kTextFormSettings) {
      if (setting.since_version == 0) sql += SetConfig(setting.name, setting.value);
    }
    for (const Setting& setting : kSqlSettings) sql += SetConfig(setting.name, setting.value);
  }
  for (const auto& [name, value] : options.settings) {
    if (all || name == "search_path") sql += SetConfig(name, value);
  }
  return sql;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Connect(const SessionOptions& options,
                                                          const Cancel& cancel) {
  ASSIGN_OR_RETURN(internal::ConnectionPtr connection, internal::OpenConnection(options, cancel));
  auto session = std::unique_ptr<Session>(new Session(connection.release(), cancel));
  // A pooler answers the start itself, with a number of its own.
  ASSIGN_OR_RETURN(const int64_t backend, BackendNow(*session));
  const bool direct = backend == session->backend_pid();
  if (!direct && !options.replication) {
    RETURN_IF_ERROR(RefuseStatementPooler(*session));
    ASSIGN_OR_RETURN(internal::ConnectionPtr second, internal::OpenConnection(options, cancel));
    Session other(second.release(), cancel);
    RETURN_IF_ERROR(RefuseSharedBackend(*session, other));
  }
  RETURN_IF_ERROR(session->Execute(SettingsSql(options, !direct)));
  RETURN_IF_ERROR(session->ApplyVersionedSettings());
  return session;
}

absl::Status Session::ApplyVersionedSettings() {
  // Brought by minor versions: it would take our own views away.
  std::string sql =
      "SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', false) "
      "WHERE current_setting('restrict_nonsystem_relation_kind', true) <> '';";
  // libpq sends PGTZ and PGDATESTYLE of the environment behind the start options.
  const bool from_environment = getenv("PGTZ") != nullptr || getenv("PGDATESTYLE") != nullptr;
  for (const Setting& setting : kTextFormSettings) {
    const bool overridden =
        from_environment && (setting.name == "TimeZone" || setting.name == "DateStyle");
    const bool versioned = setting.since_version != 0 && server_version() >= setting.since_version;
    if (overridden || versioned) sql += SetConfig(setting.name, setting.value);
  }
  // When this process is killed the server must notice though it is busy: a statement, its locks
  // and the session's advisory locks end within seconds. Only Linux servers can watch for it.
  if (server_version() >= 140000) {
    absl::StrAppend(&sql,
                    "SELECT pg_catalog.set_config('client_connection_check_interval', '2s', false) "
                    "WHERE pg_catalog.version() OPERATOR(pg_catalog.~~) '%linux%';");
  }
  return Execute(sql);
}

}  // namespace switchyard::pg
