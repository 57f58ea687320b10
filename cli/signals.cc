#include "cli/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/time/clock.h"
#include "common/base/log.h"

namespace switchyard::cli {
namespace {

constexpr int kEnd = SIGUSR1;  // from our own destructor: stop waiting
constexpr absl::Duration kSameSignal = absl::Milliseconds(500);

}  // namespace

SignalThread::SignalThread(Cancel& cancel, const Options& options)
    : cancel_(cancel), options_(options) {
  sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, kEnd}) sigaddset(&watched_, signal);
  pthread_sigmask(SIG_BLOCK, &watched_, nullptr);
  // A peer that is gone is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "signals");
    Run();
  });
}

SignalThread::~SignalThread() {
  pthread_kill(thread_.native_handle(), kEnd);
  thread_.join();
}

void SignalThread::Run() {
  int signal = 0;
  while (sigwait(&watched_, &signal) != 0) {
  }
  if (signal == kEnd) return;
  LogInfo("main", "shutting down", {{"signal", std::string(sigabbrev_np(signal))}});
  cancel_.Request();
  const absl::Time first = absl::Now();
  int again = 0;
  do {
    const absl::Duration left = first + options_.shutdown_deadline - absl::Now();
    const timespec wait = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    again = sigtimedwait(&watched_, nullptr, &wait);
  } while ((again < 0 && errno == EINTR) ||
           (again > 0 && again != kEnd && absl::Now() < first + kSameSignal));
  if (again == kEnd) return;
  LogError("main", again > 0 ? "ended by a second signal" : "shutdown took too long, ended",
           {{"next", "nothing is lost; start it again"}});
  _exit(128 + signal);
}

}  // namespace switchyard::cli
