// SIGINT and SIGTERM as a Cancel: a thread waits for them, nothing runs in a handler.
//
//   Cancel cancel;
//   SignalThread signals(cancel, {.shutdown_deadline = absl::Seconds(10)});   // first thing in
//   main
//
// The first signal requests shutdown. A second one, or the deadline passing, ends the process at
// once: every role may be killed at any point and loses nothing, a hang helps nobody. What comes
// right behind the first is that one once more: timeout(1) sends to its child and to its group.
#pragma once

#include <csignal>
#include <thread>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"

namespace switchyard::cli {

class SignalThread {
 public:
  struct Options {
    absl::Duration shutdown_deadline = absl::Seconds(10);
  };
  // Blocks the signals in this thread and all that it starts. `cancel` must outlive it.
  SignalThread(Cancel& cancel, const Options& options);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Run();

  Cancel& cancel_;
  const Options options_;
  sigset_t watched_;
  std::thread thread_;
};

}  // namespace switchyard::cli
