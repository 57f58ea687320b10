// When the log may forget, and how much: now and then, behind a position that the target has
// flushed, as a target that crashes may go back to an earlier one.
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/clock.h"
#include "replayer/loop/ports.h"

namespace switchyard::replayer {

// Records below these offsets are needed no more.
struct TrimPoint {
  int64_t change = 0;
  int64_t copy = 0;
};

struct TrimOptions {
  std::string change_topic;
  std::string copy_topic;
  absl::Duration interval;  // zero: never
};

class TrimSchedule {
 public:
  TrimSchedule(TrimOptions options, Target& target, TrimSink& sink, const Clock& clock);

  // Once per interval.
  bool IsDue();
  // Trims to the point of the last call once the target has flushed it; keeps this one for the
  // next.
  absl::Status Trim(const TrimPoint& point);
  // The target may have gone back behind what was to be trimmed.
  void Forget() { wal_ = Lsn(); }

 private:
  const TrimOptions options_;
  Target& target_;
  TrimSink& sink_;
  const Clock& clock_;
  absl::Time next_ = absl::InfinitePast();
  // To be trimmed to once the target has flushed its WAL up to wal_.
  TrimPoint point_;
  Lsn wal_;
};

}  // namespace switchyard::replayer
