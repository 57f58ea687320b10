#include "tests/support/server/subprocess.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

extern char** environ;

namespace switchyard::testing {
namespace {

std::string Tail(const std::string& text) {
  constexpr size_t kTail = 2000;
  return text.size() <= kTail ? text : text.substr(text.size() - kTail);
}

std::vector<std::string> EnvironmentWith(const Command& command) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line = *entry;
    const size_t equals = line.find('=');
    merged[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  for (const auto& [name, value] : command.environment) merged[name] = value;
  std::vector<std::string> lines;
  lines.reserve(merged.size());
  for (const auto& [name, value] : merged) lines.push_back(absl::StrCat(name, "=", value));
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the child does between fork and exec; only async-signal-safe calls.
struct ChildPlan {
  char** argv;
  char** environment;
  const char* output_path;
  const char* work_dir;
  bool change_user;
  User user;
  int input_fd;
};

[[noreturn]] void BecomeChild(const ChildPlan& plan) {
  setsid();
  const int input = plan.input_fd >= 0 ? plan.input_fd : open("/dev/null", O_RDONLY);
  const int output = open(plan.output_path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (input < 0 || output < 0) _exit(126);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  if (plan.change_user) {
    if (setgroups(0, nullptr) != 0 || setgid(plan.user.gid) != 0 || setuid(plan.user.uid) != 0) {
      _exit(126);
    }
  }
  if (chdir(plan.work_dir) != 0) _exit(126);
  execve(plan.argv[0], plan.argv, plan.environment);
  constexpr std::string_view kSorry = "can't be executed by the user the test runs it as\n";
  [[maybe_unused]] const ssize_t written = write(2, kSorry.data(), kSorry.size());
  _exit(127);
}

}  // namespace

User UnprivilegedUser() {
  if (geteuid() != 0) return {geteuid(), getegid()};
  for (const char* name : {"postgres", "nobody"}) {
    passwd entry = {};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    if (getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
      return {found->pw_uid, found->pw_gid};
    }
  }
  return {65534, 65534};
}

absl::StatusOr<pid_t> Spawn(const Command& command) {
  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> environment = EnvironmentWith(command);
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(environment);
  const ChildPlan plan = {.argv = argv.data(),
                          .environment = envp.data(),
                          .output_path = command.output_path.c_str(),
                          .work_dir = command.work_dir.c_str(),
                          .change_user = command.drop_root && geteuid() == 0,
                          .user = UnprivilegedUser(),
                          .input_fd = command.input_fd};
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) BecomeChild(plan);
  return pid;
}

absl::Status Run(const Command& command) {
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(command));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("%s ended with status %d: %s", command.argv[0],
                      WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
                      Tail(ReadFileOrEmpty(command.output_path))));
}

absl::StatusOr<std::string> RunForOutput(Command command) {
  ASSIGN_OR_RETURN(const std::string folder, MakeTempFolder("sy-output"));
  command.output_path = folder + "/output";
  const absl::Status status = Run(command);
  std::string output = ReadFileOrEmpty(command.output_path);
  unlink(command.output_path.c_str());
  rmdir(folder.c_str());
  RETURN_IF_ERROR(status);
  return output;
}

std::string ReadFileOrEmpty(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::Status AppendToFile(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << text;
  file.flush();
  return file ? absl::OkStatus() : absl::UnavailableError("can't write " + path);
}

absl::StatusOr<std::string> MakeTempFolder(std::string_view prefix) {
  const char* tmpdir = getenv("TMPDIR");
  // A Unix socket's path has room for 107 bytes.
  const bool usable = tmpdir != nullptr && *tmpdir == '/' && strlen(tmpdir) < 60;
  std::string path = absl::StrCat(usable ? tmpdir : "/tmp", "/", Sv(prefix), "-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) return absl::ErrnoToStatus(errno, "mkdtemp " + path);
  return path;
}

absl::StatusOr<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  close(fd);
  if (!ok) return absl::ErrnoToStatus(error, "bind");
  return static_cast<int>(ntohs(address.sin_port));
}

}  // namespace switchyard::testing
