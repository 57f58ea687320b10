// Ends a blocking call of a client library over a connection: at a deadline, or when shutdown
// comes, the server is told to stop; if it does not answer that either, the socket is shut.
//
//   Watchdog watchdog(connection, cancel);
//   {
//     const Watchdog::Watch watch(watchdog, absl::Seconds(5));
//     result = connection.exec(...);       // returns or throws by then
//   }
//   if (watchdog.fired() == Watchdog::Fired::kDeadline) ...
//
// A thread of its own waits. The watched thread uses one Watch at a time; connection and cancel
// must outlive it. Internal to common/pg.
#pragma once

#include <cstdint>
#include <thread>

#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/pg/libpq.h"

namespace switchyard::pg::internal {

class Watchdog {
 public:
  enum class Fired { kNo, kDeadline, kShutdown };

  class Watch {
   public:
    Watch(Watchdog& watchdog, absl::Duration timeout) : watchdog_(watchdog) {
      watchdog_.Begin(timeout);
    }
    ~Watch() { watchdog_.End(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Watchdog& watchdog_;
  };

  Watchdog(PGconn* connection, const Cancel& cancel);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // During the last Watch.
  Fired fired() const;

 private:
  void Begin(absl::Duration timeout);
  void End();
  void Run();
  void Wake();
  // Whether `watch` is still under way when `deadline` comes, or shutdown where that is heeded.
  Fired Await(int64_t watch, absl::Time deadline, bool heed_cancel);

  PGconn* const connection_;
  const Cancel& cancel_;
  const int wake_;  // an eventfd: what is watched changed

  mutable Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  int64_t watch_ ABSL_GUARDED_BY(mu_) = 0;  // number of the Watch under way; 0: none
  int64_t watches_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  Fired fired_ ABSL_GUARDED_BY(mu_) = Fired::kNo;
  std::thread thread_;
};

}  // namespace switchyard::pg::internal
