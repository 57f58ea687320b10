#include "tests/support/server/mini_pgbouncer.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/support/await.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {
namespace {

// The socket's name; it lies in a folder of its own.
constexpr int kPort = 6432;

constexpr char kConfiguration[] = R"([databases]
* = host=%s port=%d
[pgbouncer]
listen_addr =
listen_port = %d
unix_socket_dir = %s
auth_type = trust
auth_file = %s/users
pool_mode = %s
ignore_startup_parameters = extra_float_digits,options
server_login_retry = 1
%s
)";

constexpr char kUsers[] =
    "\"postgres\" \"\"\n\"switchyard_capture\" \"\"\n\"switchyard_replay\" \"\"\n\"app\" \"\"\n";

// A socket has its name before anybody listens on it.
bool Listens(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::copy_n(path.begin(), std::min(path.size(), sizeof(address.sun_path) - 1), address.sun_path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MiniPgBouncer>> MiniPgBouncer::Start(const MiniPostgres& postgres,
                                                                    std::string_view pool_mode,
                                                                    std::string_view more) {
  constexpr char kProgram[] = "/usr/sbin/pgbouncer";
  if (access(kProgram, X_OK) != 0) return absl::NotFoundError("pgbouncer is not installed");
  ASSIGN_OR_RETURN(const std::string folder, MakeTempFolder("sypool"));
  const User user = UnprivilegedUser();
  if (chown(folder.c_str(), user.uid, user.gid) != 0) return absl::ErrnoToStatus(errno, folder);
  RETURN_IF_ERROR(AppendToFile(folder + "/users", kUsers));
  RETURN_IF_ERROR(AppendToFile(
      folder + "/ini", absl::StrFormat(kConfiguration, postgres.folder(), postgres.port(), kPort,
                                       folder, folder, std::string(pool_mode), std::string(more))));
  ASSIGN_OR_RETURN(
      const pid_t pid,
      Spawn({.argv = {"/usr/bin/setpriv", "--pdeathsig", "KILL", kProgram, folder + "/ini"},
             .output_path = folder + "/log",
             .drop_root = true}));
  auto made = std::unique_ptr<MiniPgBouncer>(new MiniPgBouncer(folder, pid));
  const std::string socket = absl::StrFormat("%s/.s.PGSQL.%d", folder, kPort);
  RETURN_IF_ERROR(Await("pgbouncer's socket", absl::Seconds(30), [&] { return Listens(socket); }));
  return made;
}

MiniPgBouncer::~MiniPgBouncer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string MiniPgBouncer::dsn(std::string_view database, std::string_view user) const {
  return absl::StrFormat("host=%s port=%d user=%s dbname=%s", folder_, kPort, std::string(user),
                         std::string(database));
}

}  // namespace switchyard::testing
