#include "capture/decode/ack_tracker.h"

#include "common/base/check.h"

namespace switchyard::capture {

void AckTracker::Sent(uint64_t sequence, Lsn lsn) {
  SY_CHECK(lsn >= (sent_.empty() ? confirmed_ : sent_.back().lsn));
  if (!sent_.empty() && sent_.back().sequence == sequence) {
    sent_.back().lsn = lsn;  // nothing was written since: it is as safe as what stands before it
    return;
  }
  SY_CHECK(sent_.empty() || sequence > sent_.back().sequence);
  sent_.push_back({sequence, lsn});
}

Lsn AckTracker::Confirm(uint64_t durable_sequence) {
  while (!sent_.empty() && sent_.front().sequence <= durable_sequence) {
    confirmed_ = sent_.front().lsn;
    sent_.pop_front();
  }
  return confirmed_;
}

}  // namespace switchyard::capture
