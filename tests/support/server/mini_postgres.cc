#include "tests/support/server/mini_postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/strings.h"
#include "tests/support/server/mini_postgres_template.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kStopTimeout = absl::Seconds(60);

// Settings of every cluster; those of Options come behind and win.
constexpr char kConfiguration[] = R"(
wal_level = logical
fsync = off
max_wal_senders = 20
max_replication_slots = 20
max_connections = 100
shared_buffers = 64MB
max_prepared_transactions = 10
logging_collector = off
log_min_messages = warning
log_line_prefix = '%m [%p] %d '
lc_messages = C
timezone = UTC
)";

int MajorOf(const std::string& bin_dir) {
  // /usr/lib/postgresql/15/bin
  const std::vector<std::string> parts = absl::StrSplit(bin_dir, '/');
  int major = 0;
  return parts.size() >= 2 && absl::SimpleAtoi(parts[parts.size() - 2], &major) ? major : 0;
}

// Waits for `pid` without taking its exit status: until that is taken the number can't be reused.
bool HasExited(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// The watchdog reads one line from us. End of file instead means that we died.
constexpr char kWatchdog[] = R"(
if read -r farewell; then exit 0; fi
kill -QUIT "$1" 2>/dev/null
for i in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
rm -rf "$2"
)";

absl::StatusOr<int> StartWatchdog(pid_t server, const std::string& folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  // Started by a shell that ends at once, so that it is nobody's child: a test runner that kills
  // the whole tree of a stuck test does not reach it.
  constexpr char kDetach[] = R"(exec 3<&0; sh -c "$0" sh "$1" "$2" <&3 3<&- &)";
  const absl::Status started =
      Run({.argv = {"/bin/sh", "-c", kDetach, kWatchdog, absl::StrCat(server), folder},
           .input_fd = ends[0]});
  close(ends[0]);
  if (started.ok()) return ends[1];
  close(ends[1]);
  return started;
}

}  // namespace

absl::StatusOr<std::string> DefaultPostgresBinaries() {
  if (const char* set = getenv("SWITCHYARD_PG_BIN"); set != nullptr && *set != '\0') return set;
  glob_t found = {};
  std::string newest;
  if (glob("/usr/lib/postgresql/*/bin/initdb", 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string path = found.gl_pathv[i];
      const std::string bin = path.substr(0, path.rfind('/'));
      if (newest.empty() || MajorOf(bin) > MajorOf(newest)) newest = bin;
    }
  }
  globfree(&found);
  if (!newest.empty()) return newest;
  const auto said = RunForOutput({.argv = {"/usr/bin/env", "pg_config", "--bindir"}});
  if (said.ok()) return std::string(absl::StripAsciiWhitespace(*said));
  return absl::NotFoundError("no Postgres binaries found: set SWITCHYARD_PG_BIN to their folder");
}

std::string PostgresBinaries(int major) {
  const char* set = getenv(absl::StrCat("SWITCHYARD_PG", major, "_BIN").c_str());
  if (set != nullptr && *set != '\0') return set;
  const auto own = DefaultPostgresBinaries();
  return own.ok() && MajorOf(*own) == major ? *own : "";
}

absl::StatusOr<std::unique_ptr<MiniPostgres>> MiniPostgres::Start(Options options) {
  if (options.bin_dir.empty()) {
    ASSIGN_OR_RETURN(options.bin_dir, DefaultPostgresBinaries());
  }
  auto made = std::unique_ptr<MiniPostgres>(new MiniPostgres(std::move(options)));
  RETURN_IF_ERROR(made->Create());
  RETURN_IF_ERROR(made->StartOnFreePort());
  return made;
}

absl::StatusOr<std::unique_ptr<MiniPostgres>> MiniPostgres::StartStandby(MiniPostgres& primary,
                                                                         const std::string& slot) {
  auto made = std::unique_ptr<MiniPostgres>(new MiniPostgres({.bin_dir = primary.bin_dir()}));
  ASSIGN_OR_RETURN(made->folder_, MakeTempFolder("sypg"));
  const User user = UnprivilegedUser();
  if (chown(made->folder_.c_str(), user.uid, user.gid) != 0) {
    return absl::ErrnoToStatus(errno, made->folder_);
  }
  made->version_ = primary.version_;
  RETURN_IF_ERROR(primary.Stop(StopMode::kFast));
  RETURN_IF_ERROR(
      Run({.argv = {"/bin/cp", "-a", primary.data_dir(), made->data_dir()}, .drop_root = true}));
  RETURN_IF_ERROR(
      Run({.argv = {"/usr/bin/touch", made->data_dir() + "/standby.signal"}, .drop_root = true}));
  RETURN_IF_ERROR(primary.StartAgain());
  RETURN_IF_ERROR(primary.Execute(
      "postgres",
      absl::StrCat("SELECT pg_create_physical_replication_slot(", QuoteLiteral(slot), ")")));
  RETURN_IF_ERROR(made->Configure("primary_conninfo", primary.dsn()));
  RETURN_IF_ERROR(made->Configure("primary_slot_name", slot));
  RETURN_IF_ERROR(made->Configure("hot_standby_feedback", "on"));
  RETURN_IF_ERROR(made->Configure("sync_replication_slots", "on"));
  RETURN_IF_ERROR(made->Configure("synchronized_standby_slots", ""));
  RETURN_IF_ERROR(made->Configure("wal_retrieve_retry_interval", "100ms"));
  RETURN_IF_ERROR(made->StartAgain());
  return made;
}

MiniPostgres::~MiniPostgres() {
  Stop(StopMode::kImmediate).IgnoreError();
  if (!folder_.empty()) Run({.argv = {"/bin/rm", "-rf", folder_}}).IgnoreError();
}

absl::Status MiniPostgres::Create() {
  ASSIGN_OR_RETURN(const std::string data_template, DataTemplate(options_.bin_dir));
  ASSIGN_OR_RETURN(folder_, MakeTempFolder("sypg"));
  const User user = UnprivilegedUser();
  if (chown(folder_.c_str(), user.uid, user.gid) != 0) return absl::ErrnoToStatus(errno, folder_);
  RETURN_IF_ERROR(CopyDataTemplate(data_template, data_dir()));
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(ReadFileOrEmpty(data_dir() + "/PG_VERSION")),
                        &version_)) {
    return absl::InternalError("no PG_VERSION in " + data_dir());
  }
  return WriteConfiguration();
}

absl::Status MiniPostgres::WriteConfiguration() const {
  RETURN_IF_ERROR(AppendToFile(data_dir() + "/postgresql.conf", kConfiguration));
  for (const auto& [name, value] : options_.settings) RETURN_IF_ERROR(Configure(name, value));
  if (options_.hba.empty()) return absl::OkStatus();
  const std::string path = data_dir() + "/pg_hba.conf";
  const std::string lines = absl::StrJoin(options_.hba, "\n") + "\n" + ReadFileOrEmpty(path);
  if (truncate(path.c_str(), 0) != 0) return absl::ErrnoToStatus(errno, path);
  return AppendToFile(path, lines);
}

absl::Status MiniPostgres::Configure(std::string_view name, std::string_view value) const {
  return AppendToFile(data_dir() + "/postgresql.conf",
                      absl::StrCat(Sv(name), " = ", QuoteLiteral(value), "\n"));
}

absl::Status MiniPostgres::StartOnFreePort() {
  if (!options_.tcp) return StartAgain();
  absl::Status status;
  for (int attempt = 0; attempt < 5; ++attempt) {
    ASSIGN_OR_RETURN(port_, FreePort());
    status = StartAgain();
    // Somebody else may have taken the port meanwhile.
    if (status.ok() || !absl::StrContains(log(), "Address already in use")) break;
  }
  return status;
}

absl::Status MiniPostgres::StartAgain() {
  if (pid_ != 0) return absl::OkStatus();
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (true) {
    const size_t log_before = log().size();
    RETURN_IF_ERROR(Launch());
    absl::Status ready = AwaitReady();
    if (ready.ok()) return ready;
    // After Kill the children of the old server take a moment to go.
    const bool old_one_alive = absl::StrContains(log().substr(log_before), "is still in use");
    if (!old_one_alive || absl::Now() > deadline) return ready;
    absl::SleepFor(absl::Milliseconds(20));
  }
}

absl::Status MiniPostgres::Launch() {
  ASSIGN_OR_RETURN(
      pid_, Spawn({.argv = {options_.bin_dir + "/postgres", "-D", data_dir(), "-p",
                            absl::StrCat(port_), "-c", "unix_socket_directories=" + folder_, "-c",
                            absl::StrCat("listen_addresses=", options_.tcp ? "127.0.0.1" : "")},
                   .environment = PostgresEnvironment(options_.bin_dir),
                   .output_path = folder_ + "/log",
                   .work_dir = folder_,
                   .drop_root = true}));
  const absl::StatusOr<int> watchdog = StartWatchdog(pid_, folder_);
  if (!watchdog.ok()) {
    Stop(StopMode::kImmediate).IgnoreError();
    return watchdog.status();
  }
  watchdog_fd_ = *watchdog;
  return absl::OkStatus();
}

absl::Status MiniPostgres::AwaitReady() {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (absl::Now() < deadline) {
    // The first line is the server's number (a killed server leaves its file), the eighth its
    // state.
    const std::string state = ReadFileOrEmpty(data_dir() + "/postmaster.pid");
    if (absl::StartsWith(state, absl::StrCat(pid_, "\n")) && absl::StrContains(state, "\nready")) {
      return absl::OkStatus();
    }
    if (HasExited(pid_)) break;
    absl::SleepFor(absl::Milliseconds(5));
  }
  Stop(StopMode::kImmediate).IgnoreError();
  return absl::UnavailableError("postgres did not start: " + log());
}

absl::Status MiniPostgres::Signal(int signal) {
  if (pid_ == 0) return absl::OkStatus();
  kill(pid_, signal);
  return AwaitExit(kStopTimeout);
}

absl::Status MiniPostgres::AwaitExit(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!HasExited(pid_)) {
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("postgres ", pid_, " did not stop"));
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
  // The farewell comes first: once the exit status is taken the number may be somebody else's.
  if (watchdog_fd_ >= 0) {
    [[maybe_unused]] const ssize_t written = write(watchdog_fd_, "done\n", 5);
    close(watchdog_fd_);
    watchdog_fd_ = -1;
  }
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
  return absl::OkStatus();
}

absl::Status MiniPostgres::Stop(StopMode mode) {
  return Signal(mode == StopMode::kFast ? SIGINT : SIGQUIT);
}

absl::Status MiniPostgres::Kill() { return Signal(SIGKILL); }

absl::Status MiniPostgres::Restart(StopMode mode) {
  RETURN_IF_ERROR(Stop(mode));
  return StartAgain();
}

std::string MiniPostgres::log() const { return ReadFileOrEmpty(folder_ + "/log"); }

std::string MiniPostgres::socket_path() const { return absl::StrCat(folder_, "/.s.PGSQL.", port_); }

std::string MiniPostgres::dsn(std::string_view database) const {
  return absl::StrFormat("host=%s port=%d user=postgres dbname=%s", folder_, port_, database);
}

std::string MiniPostgres::tcp_dsn(std::string_view database) const {
  return absl::StrFormat("host=127.0.0.1 port=%d user=postgres dbname=%s", port_, database);
}

absl::StatusOr<std::unique_ptr<pg::Session>> MiniPostgres::Connect(
    std::string_view database, std::vector<std::pair<std::string, std::string>> settings) const {
  // As psql has it; what a caller gives comes behind, and wins.
  settings.insert(settings.begin(), {"search_path", "\"$user\", public"});
  return pg::Session::Connect(
      {.dsn = dsn(database), .application_name = "test", .settings = std::move(settings)}, cancel_);
}

absl::StatusOr<std::string> MiniPostgres::Scalar(std::string_view database,
                                                 std::string_view sql) const {
  ASSIGN_OR_RETURN(const auto session, Connect(database));
  ASSIGN_OR_RETURN(const pg::Result result, session->Query(sql));
  return result.rows() > 0 ? result.str(0, 0) : "";
}

absl::Status MiniPostgres::Execute(std::string_view database, std::string_view sql) const {
  return Scalar(database, sql).status();
}

absl::Status MiniPostgres::CreateDatabase(std::string_view name) const {
  return Execute("postgres", "CREATE DATABASE " + QuoteIdentifier(name));
}

}  // namespace switchyard::testing
