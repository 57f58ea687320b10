// A throw-away Postgres cluster for tests: its own folder, a Unix socket in it, logical WAL.
//
//   ASSERT_OK_AND_ASSIGN(auto old_db, MiniPostgres::Start({.settings = {{"work_mem", "1MB"}}}));
//   ASSERT_OK_AND_ASSIGN(auto session, old_db->Connect());
//   ASSERT_OK(session->Execute("CREATE TABLE t (id int PRIMARY KEY)"));
//
// initdb runs once per machine boot and set of binaries; later clusters are copies of that
// template (about 0.3 s) with a system identifier of their own. The server runs as another user
// when the test is root. A watchdog outside the test's process ends the server and removes the
// folder when the test dies, however it dies.
//
// Not thread-safe, except that clusters may be started in parallel.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"

namespace switchyard::testing {

// Folder of initdb and postgres of a version: $SWITCHYARD_PG18_BIN for 18, which scripts/test sets,
// else that of the system's own if it is of this version. Empty without either.
std::string PostgresBinaries(int major);

class MiniPostgres {
 public:
  struct Options {
    // Folder of initdb and postgres. Default: $SWITCHYARD_PG_BIN, else the newest of
    // /usr/lib/postgresql/*/bin, else what pg_config says.
    std::string bin_dir;
    // Lines of postgresql.conf, over the defaults.
    std::vector<std::pair<std::string, std::string>> settings;
    // Lines put before pg_hba.conf's "trust for everybody".
    std::vector<std::string> hba;
    // Also listen on 127.0.0.1, on a free port.
    bool tcp = false;
  };
  enum class StopMode { kFast, kImmediate };

  static absl::StatusOr<std::unique_ptr<MiniPostgres>> Start(Options options);
  static absl::StatusOr<std::unique_ptr<MiniPostgres>> Start() { return Start(Options()); }
  // A standby that follows `primary` by its physical slot `slot`, which is made, and keeps the
  // logical slots that it may (Postgres 17 and newer). The primary is restarted for it.
  static absl::StatusOr<std::unique_ptr<MiniPostgres>> StartStandby(MiniPostgres& primary,
                                                                    const std::string& slot);
  // Stops at once and removes the folder.
  ~MiniPostgres();
  MiniPostgres(const MiniPostgres&) = delete;
  MiniPostgres& operator=(const MiniPostgres&) = delete;

  // Through the Unix socket, as the superuser postgres.
  std::string dsn(std::string_view database = "postgres") const;
  // Through 127.0.0.1; with options.tcp only.
  std::string tcp_dsn(std::string_view database = "postgres") const;
  // A session of the test's own; ends with it. `settings` as in SessionOptions.
  absl::StatusOr<std::unique_ptr<pg::Session>> Connect(
      std::string_view database = "postgres",
      std::vector<std::pair<std::string, std::string>> settings = {}) const;
  // Connects, runs, and gives the first column of the first row, "" when there is none.
  absl::StatusOr<std::string> Scalar(std::string_view database, std::string_view sql) const;
  absl::Status Execute(std::string_view database, std::string_view sql) const;
  absl::Status CreateDatabase(std::string_view name) const;

  // Immediate: as after a crash, asynchronous commits may be lost. No-op when stopped.
  absl::Status Stop(StopMode mode);
  // SIGKILL of the postmaster; its children notice and end.
  absl::Status Kill();
  // On the same data, port and socket.
  absl::Status StartAgain();
  absl::Status Restart(StopMode mode = StopMode::kFast);
  // Appends a line to postgresql.conf; takes effect at the next start or reload.
  absl::Status Configure(std::string_view name, std::string_view value) const;

  pid_t pid() const { return pid_; }  // the postmaster; 0 when stopped
  int port() const { return port_; }  // also names the Unix socket
  const std::string& folder() const { return folder_; }
  std::string socket_path() const;
  std::string data_dir() const { return folder_ + "/data"; }
  const std::string& bin_dir() const { return options_.bin_dir; }
  std::string log() const;                  // what the server wrote to standard error
  int version() const { return version_; }  // 15

 private:
  explicit MiniPostgres(Options options) : options_(std::move(options)) {}
  absl::Status Create();
  absl::Status WriteConfiguration() const;
  absl::Status StartOnFreePort();
  absl::Status Launch();
  absl::Status AwaitReady();
  absl::Status AwaitExit(absl::Duration timeout);
  absl::Status Signal(int signal);

  Options options_;
  std::string folder_;
  int port_ = 5432;
  int version_ = 0;
  pid_t pid_ = 0;
  int watchdog_fd_ = -1;  // the watchdog acts when this closes without a farewell
  Cancel cancel_;         // never requested: sessions of Connect need one
};

// The binaries MiniPostgres uses when told nothing. NotFound when there are none.
absl::StatusOr<std::string> DefaultPostgresBinaries();

}  // namespace switchyard::testing
