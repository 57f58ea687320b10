// Opening a connection, and saying why it could not be opened without giving anything away.
#include <poll.h>

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/libpq.h"
#include "common/pg/settings.h"

namespace switchyard::pg::internal {
namespace {

using Parameters = std::map<std::string, std::string>;

absl::StatusOr<Parameters> ParseDsn(const std::string& dsn) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(dsn.c_str(), &message);
  if (parsed == nullptr) {
    // libpq's message quotes the part it stumbled over, which may be a password.
    const bool keyword =
        message != nullptr && (absl::StartsWith(message, "invalid connection option") ||
                               absl::StartsWith(message, "invalid URI query parameter"));
    PQfreemem(message);
    return absl::InvalidArgumentError(absl::StrCat(
        "the connection string does not parse: ",
        keyword ? "one of its keywords is none that libpq knows (host, port, dbname, user, "
                  "password, sslmode ...)"
                : "expected postgresql://user@host:port/database or keyword=value pairs, with "
                  "special characters in URIs percent-encoded"));
  }
  Parameters parameters;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  PQconninfoFree(parsed);
  return parameters;
}

// "-c name=value" for the start-up packet; blanks and backslashes escaped.
std::string StartOption(std::string_view name, std::string_view value) {
  std::string out = absl::StrCat(" -c ", Sv(name), "=");
  for (const char c : value) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void AddSettings(const SessionOptions& options, Parameters* parameters) {
  std::string& start_options = (*parameters)["options"];
  for (const Setting& setting : kTextFormSettings) {
    if (setting.since_version == 0) start_options += StartOption(setting.name, setting.value);
  }
  for (const Setting& setting : kSqlSettings) {
    start_options += StartOption(setting.name, setting.value);
  }
  for (const auto& [name, value] : options.settings) start_options += StartOption(name, value);
  (*parameters)["client_encoding"] = "UTF8";
  (*parameters)["application_name"] = options.application_name;
  if (options.replication) (*parameters)["replication"] = "database";
  // A dead peer is noticed within half a minute, also where the connection string is silent.
  parameters->emplace("keepalives", "1");
  parameters->emplace("keepalives_idle", "10");
  parameters->emplace("keepalives_interval", "5");
  parameters->emplace("keepalives_count", "3");
  parameters->emplace("tcp_user_timeout", "25000");
}

// One set of parameters per host. libpq's own walk over the hosts would let the first silent one
// use up the whole time when it runs without blocking.
std::vector<Parameters> PerHost(const Parameters& parameters) {
  const auto list = [&](const std::string& name) -> std::vector<std::string> {
    const auto found = parameters.find(name);
    if (found == parameters.end() || found->second.empty()) return {};
    return absl::StrSplit(found->second, ',');
  };
  const std::vector<std::string> hosts = list("host");
  const std::vector<std::string> addresses = list("hostaddr");
  const std::vector<std::string> ports = list("port");
  const size_t count = std::max(hosts.size(), addresses.size());
  const auto fits = [&](size_t size) { return size <= 1 || size == count; };
  if (count <= 1 || !fits(hosts.size()) || !fits(addresses.size()) || !fits(ports.size())) {
    return {parameters};  // a mismatch is libpq's to refuse
  }
  std::vector<Parameters> each(count, parameters);
  for (size_t i = 0; i < count; ++i) {
    if (hosts.size() == count) each[i]["host"] = hosts[i];
    if (addresses.size() == count) each[i]["hostaddr"] = addresses[i];
    if (ports.size() == count) each[i]["port"] = ports[i];
  }
  return each;
}

std::string Value(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

// A mistyped URI puts pieces of the password into host, port or database; such pieces carry one of
// the characters that split URIs.
bool SafeToShow(std::string_view text) {
  return !text.empty() && text.find_first_of("@:/?#%=") == std::string_view::npos;
}

// `text` with every quoted word blanked but the user and the database.
std::string Redacted(std::string_view text, const Parameters& parameters) {
  const std::string user = Value(parameters, "user");
  const std::string database = Value(parameters, "dbname");
  const std::vector<std::string> pieces = absl::StrSplit(Sv(text), '"');
  std::string out;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool quoted = i % 2 == 1;
    const bool known = pieces[i] == user || pieces[i] == database;
    if (quoted) out += '"';
    out += quoted && !(known && SafeToShow(pieces[i])) ? "..." : pieces[i];
    if (quoted) out += '"';
  }
  return out;
}

std::string Where(const Parameters& parameters) {
  const std::string host = Value(parameters, "host");
  const std::string port = Value(parameters, "port");
  if (!host.empty() && host[0] == '/') return "through its Unix socket";
  // Pieces of a mistyped URI shift into each other: show all or nothing.
  if (!SafeToShow(host) || (!port.empty() && !SafeToShow(port))) return "";
  const std::string database = Value(parameters, "dbname");
  if (!database.empty() && !SafeToShow(database)) return "";
  return absl::StrCat("at ", host, " port ", port.empty() ? "5432" : port);
}

// With PQERRORS_VERBOSE a server's message reads "FATAL:  28P01: password ...", whatever the
// server's language. "" when there is no such mark.
std::string SqlStateIn(std::string_view text, size_t* message_at) {
  for (size_t at = text.find(":  "); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const std::string_view state = text.substr(at + 3, 5);
    if (state.size() < 5 || text.substr(at + 8, 2) != ": ") continue;
    if (state.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != state.npos) continue;
    *message_at = at + 10;
    return std::string(state);
  }
  return "";
}

constexpr std::string_view kCorrectLogin =
    "correct user, password and sslmode of the connection string, or pg_hba.conf of that server";

// A pooler answers every fault with 08P01; at connection time none of them mends itself.
bool IsPassing(std::string_view state) {
  return state != "08P01" &&
         absl::IsUnavailable(StatusFromFields({.sqlstate = std::string(state)}));
}

std::string_view StepFor(std::string_view state) {
  if (state.starts_with("3D")) return "correct dbname of the connection string, or create it";
  if (state.starts_with("28") || state == "42501") return kCorrectLogin;
  return "correct the connection string, or what it names: the log of that server, or of the "
         "pooler "
         "before it, says more";
}

bool IsTlsOrPasswordSetup(PGconn* connection, std::string_view text) {
  if (PQconnectionNeedsPassword(connection)) return true;
  for (const char* part : {"does not support SSL", "certificate", "no password supplied",
                           "authentication method", "not supported by"}) {
    if (absl::StrContains(Sv(text), part)) return true;
  }
  return false;
}

// The part of libpq's message that tells the cause: behind the address, one line.
std::string_view Cause(std::string_view raw) {
  const size_t failed = raw.rfind(" failed: ");
  if (failed != std::string_view::npos) raw.remove_prefix(failed + 9);
  return raw.substr(0, raw.find('\n'));
}

// What a person looks at when nothing Postgres said came back; "" where the cause tells.
std::string_view NextFor(std::string_view cause) {
  constexpr std::pair<const char*, std::string_view> kNext[] = {
      {"Connection refused",
       "start the server, or correct host and port of the connection string (a server "
       "listens where its listen_addresses and port say)"},
      {"No such file or directory",
       "start the server, or correct the socket folder (host) and port of the connection "
       "string"},
      {"translate host name", "correct the host of the connection string, or see to DNS"},
      {"No route to host", "see to the network between, or correct the host"},
      {"Network is unreachable", "see to the network between, or correct the host"},
  };
  for (const auto& [part, next] : kNext) {
    if (absl::StrContains(Sv(cause), part)) return next;
  }
  return "";
}

// "can't connect to the database at db1 port 5432"
std::string Failed(const Parameters& parameters) {
  const std::string where = Where(parameters);
  return absl::StrCat("can't connect to the database", where.empty() ? "" : " ", where);
}

absl::Status ConnectError(PGconn* connection, const Parameters& parameters) {
  const std::string raw = PQerrorMessage(connection);
  const bool reached_network = absl::StartsWith(raw, "connection to server") ||
                               absl::StartsWith(raw, "could not translate host name");
  std::string_view cause = Cause(raw);
  size_t message_at = 0;
  const std::string state = SqlStateIn(cause, &message_at);
  if (!reached_network && state.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the connection string can't be used: ", Redacted(cause, parameters)));
  }
  if (!state.empty()) cause.remove_prefix(message_at);
  std::string text = absl::StrCat(Failed(parameters), ": ", Redacted(cause, parameters));
  if (state.empty()) {
    const std::string_view next = NextFor(cause);
    if (IsTlsOrPasswordSetup(connection, raw)) {
      return WithErrorFields(Refuse(text, next.empty() ? kCorrectLogin : next),
                             {.severity = "FATAL"});
    }
    const absl::Status away = absl::UnavailableError(text);
    return next.empty() ? away : WithNextStep(away, next);
  }
  absl::StrAppend(&text, " (SQLSTATE ", state, ")");
  const ErrorFields fields = {
      .sqlstate = state, .primary = std::string(cause), .severity = "FATAL"};
  if (IsPassing(state)) return WithErrorFields(absl::UnavailableError(text), fields);
  return WithErrorFields(Refuse(text, StepFor(state)), fields);
}

ConnectionPtr StartConnecting(const Parameters& parameters) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return ConnectionPtr(PQconnectStartParams(keywords.data(), values.data(), 0));
}

absl::StatusOr<ConnectionPtr> ConnectOne(const Parameters& parameters, absl::Time deadline,
                                         const Cancel& cancel) {
  ConnectionPtr connection = StartConnecting(parameters);
  if (connection == nullptr) return absl::ResourceExhaustedError("out of memory in libpq");
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  auto next =
      PQstatus(connection.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return ConnectError(connection.get(), parameters);
    const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    switch (WaitForSocket(PQsocket(connection.get()), events, deadline, &cancel)) {
      case Ready::kCancelled:
        return cancel.status();
      case Ready::kTimeout:
        return WithNextStep(absl::UnavailableError(Failed(parameters) + ": no answer in time"),
                            "see to the server, and to firewalls between");
      case Ready::kReady:
        next = PQconnectPoll(connection.get());
    }
  }
  PQsetnonblocking(connection.get(), 1);
  return connection;
}

absl::StatusOr<ConnectionPtr> TryToConnect(const SessionOptions& options, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::string dsn, options.dsn.Read());
  ASSIGN_OR_RETURN(Parameters parameters, ParseDsn(dsn));
  AddSettings(options, &parameters);
  const std::vector<Parameters> each = PerHost(parameters);
  const absl::Time deadline = absl::Now() + options.connect_timeout;
  absl::Status failure;
  for (size_t i = 0; i < each.size(); ++i) {
    const absl::Time now = absl::Now();
    const absl::Duration share = (deadline - now) / static_cast<int64_t>(each.size() - i);
    auto connection = ConnectOne(each[i], now + share, cancel);
    if (connection.ok()) return connection;
    failure = connection.status();
    if (!absl::IsUnavailable(failure)) break;
  }
  return failure;
}

}  // namespace

absl::StatusOr<ConnectionPtr> OpenConnection(const SessionOptions& options, const Cancel& cancel) {
  RETURN_IF_ERROR(cancel.status());
  absl::StatusOr<ConnectionPtr> connection = TryToConnect(options, cancel);
  const absl::Status outcome = options.dsn.Outcome(connection.status());
  return connection.ok() ? std::move(connection) : outcome;
}

}  // namespace switchyard::pg::internal
