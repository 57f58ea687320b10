// A capture as a process of its own, so that a test can kill it: on an SQLite log, until SIGTERM.
//
//   capture_process DSN LOG_FILE MIGRATION TABLE...
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "capture/capture.h"
#include "common/base/fault.h"
#include "common/eventlog/event_log.h"

int main(int argc, char** argv) {
  using namespace switchyard;  // NOLINT(google-build-using-namespace)
  if (argc < 5) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives its test
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  fault::ArmFromEnvironment();

  Cancel cancel;
  auto log = eventlog::OpenEventLog({.sqlite_path = argv[2]}, cancel);
  if (!log.ok()) return 3;
  capture::CaptureConfig config{
      .stream = records::StreamNamed(argv[3], records::Direction::kForward), .dsn = argv[1]};
  config.copy_range_bytes = 64 * 1024;
  config.heartbeat_interval = absl::Milliseconds(200);
  config.drift_check_interval = absl::Milliseconds(100);
  config.standby_interval = absl::Milliseconds(20);
  for (int i = 4; i < argc; ++i) config.tables.push_back({"", argv[i]});
  std::thread waiter([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    cancel.Request();
  });
  const absl::Status ended = capture::Capture(config, **log, cancel).Run();
  std::fprintf(stderr, "%s\n", std::string(ended.message()).c_str());
  if (!cancel.requested()) std::raise(SIGTERM);  // a refusal: the waiter is to end as well
  kill(getpid(), SIGTERM);
  waiter.join();
  return absl::IsCancelled(ended) ? 0 : 1;
}
