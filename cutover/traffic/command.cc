#include "cutover/traffic/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/wait/poll_timeout.h"

namespace switchyard::cutover {
namespace {

constexpr off_t kOutputMax = 400;  // of what it wrote, the end

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::string TailOf(int fd) {
  const off_t size = lseek(fd, 0, SEEK_END);
  std::array<char, kOutputMax> text;
  const ssize_t count = pread(fd, text.data(), text.size(), std::max<off_t>(0, size - kOutputMax));
  const std::string tail(text.data(), static_cast<size_t>(std::max<ssize_t>(0, count)));
  return std::string(absl::StripAsciiWhitespace(tail));
}

// In a group of its own, so that all it starts ends with it; what it writes goes to `output`.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& argv,
                            const std::vector<std::string>& environment, int output) {
  const auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
    all.push_back(nullptr);
    return all;
  };
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0].c_str(), &files, &attributes, pointers(argv).data(),
                                pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return Refuse(
      absl::StrCat("it could not be started: ", absl::ErrnoToStatus(error, argv[0]).message()),
      "give the path of a program that may be run");
}

// Its wait status; nullopt: killed at the deadline.
std::optional<int> Await(pid_t pid, absl::Time deadline) {
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ends = {.fd = process.get(), .events = POLLIN, .revents = 0};
  bool ended = false;
  while (!ended && absl::Now() < deadline) ended = poll(&ends, 1, PollTimeout(deadline)) > 0;
  kill(-pid, SIGKILL);  // also what it left behind
  int status = 0;
  waitpid(pid, &status, 0);
  if (!ended) return std::nullopt;
  return status;
}

std::vector<std::string> EnvironmentWith(std::vector<std::string> more) {
  for (char** entry = environ; *entry != nullptr; ++entry) more.emplace_back(*entry);
  return more;
}

}  // namespace

absl::Status CommandSwitch::Run(const Action& action, absl::Duration limit) const {
  const absl::Duration patience = std::min(limit, options_.timeout);
  const absl::Time deadline = absl::Now() + patience;
  const Descriptor output(memfd_create("switch", MFD_CLOEXEC));
  std::vector<std::string> argv = options_.argv;
  argv.push_back(action.name);
  ASSIGN_OR_RETURN(const pid_t pid,
                   Spawn(argv,
                         EnvironmentWith({absl::StrCat("SWITCHYARD_SIDE=", action.side),
                                          absl::StrCat("SWITCHYARD_EPOCH=", action.epoch)}),
                         output.get()));
  const std::optional<int> status = Await(pid, deadline);
  if (!status.has_value()) {
    const std::string text = absl::StrFormat("%s %s did not end in %s, and was killed", argv[0],
                                             action.name, absl::FormatDuration(patience));
    const bool changes = action.name == "flip" || action.name == "resume";
    return changes ? absl::UnknownError(text) : absl::DeadlineExceededError(text);
  }
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return absl::OkStatus();
  const std::string how = WIFEXITED(*status)
                              ? absl::StrCat("ended with ", WEXITSTATUS(*status))
                              : absl::StrCat("was ended by signal ", WTERMSIG(*status));
  return absl::UnavailableError(
      absl::StrFormat("%s %s %s: %s", argv[0], action.name, how, TailOf(output.get())));
}

absl::Status CommandSwitch::Verify(Side side, absl::Duration limit) {
  return Run({.name = "verify", .side = side == Side::kOld ? "old" : "new"}, limit);
}

absl::Status CommandSwitch::Hold(int64_t epoch, absl::Duration limit) {
  return Run({.name = "hold", .epoch = absl::StrCat(epoch)}, limit);
}

absl::Status CommandSwitch::Flip(Side side, int64_t epoch, absl::Duration limit) {
  return Run(
      {.name = "flip", .side = side == Side::kOld ? "old" : "new", .epoch = absl::StrCat(epoch)},
      limit);
}

absl::Status CommandSwitch::Resume(int64_t epoch, absl::Duration limit) {
  return Run({.name = "resume", .epoch = absl::StrCat(epoch)}, limit);
}

}  // namespace switchyard::cutover
