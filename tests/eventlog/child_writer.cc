#include "tests/eventlog/child_writer.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "tests/eventlog/log_fixture.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kLargeBytes = 2 << 20;

// The helper stands beside the test binary.
std::string HelperPath() {
  std::array<char, 4096> self{};
  const ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
  SY_CHECK(length > 0);
  const std::string path(self.data(), static_cast<size_t>(length));
  return path.substr(0, path.rfind('/')) + "/eventlog_child_writer";
}

}  // namespace

std::string ChildRecord(uint64_t epoch, uint64_t sequence, int large_every) {
  const std::string text = absl::StrCat(sequence, " of epoch ", epoch);
  const bool large = large_every > 0 && sequence % static_cast<uint64_t>(large_every) == 0;
  return MakeEvent(epoch, large ? absl::StrCat(text, " ", LongText(kLargeBytes)) : text);
}

ChildWriter::ChildWriter(const Options& options) {
  std::array<int, 2> pipe_fds{};
  SY_CHECK(pipe2(pipe_fds.data(), O_CLOEXEC) == 0);
  const std::string epoch = absl::StrCat(options.epoch);
  const std::string large_every = absl::StrCat(options.large_every);
  const std::string fault = "SWITCHYARD_FAULT=" + options.fault;
  const std::string helper = HelperPath();
  std::array<const char*, 6> argv = {helper.c_str(),        options.log_path.c_str(),
                                     options.topic.c_str(), epoch.c_str(),
                                     large_every.c_str(),   nullptr};
  std::array<const char*, 2> environment = {fault.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  SY_CHECK(posix_spawn(&pid_, helper.c_str(), &actions, nullptr,
                       const_cast<char* const*>(argv.data()),
                       const_cast<char* const*>(environment.data())) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  report_fd_ = pipe_fds[0];
}

ChildWriter::~ChildWriter() {
  Kill();
  close(report_fd_);
}

std::optional<uint64_t> ChildWriter::NextDurable() {
  uint64_t sequence = 0;  // written whole: pipes keep writes of this size together
  if (read(report_fd_, &sequence, sizeof sequence) != sizeof sequence) return std::nullopt;
  return sequence;
}

void ChildWriter::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace switchyard::eventlog
