#include "replayer/loop/trim_schedule.h"

#include <utility>

namespace switchyard::replayer {

TrimSchedule::TrimSchedule(TrimOptions options, Target& target, TrimSink& sink, const Clock& clock)
    : options_(std::move(options)), target_(target), sink_(sink), clock_(clock) {}

bool TrimSchedule::IsDue() {
  const absl::Time now = clock_.Now();
  if (options_.interval == absl::ZeroDuration() || now < next_) return false;
  next_ = now + options_.interval;
  return true;
}

absl::Status TrimSchedule::Trim(const TrimPoint& point) {
  if (wal_.valid()) {
    ASSIGN_OR_RETURN(const bool flushed, target_.FlushedUpTo(wal_));
    if (!flushed) return absl::OkStatus();
    sink_.Ask(options_.change_topic, point_.change);
    sink_.Ask(options_.copy_topic, point_.copy);
  }
  point_ = point;
  ASSIGN_OR_RETURN(wal_, target_.WalPosition());
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
