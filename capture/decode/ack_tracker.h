// From "this log record is durable" to "this LSN Postgres may forget".
//
//   tracker.Sent(sequence, commit.end_lsn);              // in stream order
//   stream.Acknowledge(tracker.Confirm(writer.durable_sequence()), false);
//
// Pure. Thread-compatible: the capture loop owns it. Bounded by what the log writer keeps in
// flight, as that blocks the loop.
#pragma once

#include <cstdint>
#include <deque>

#include "common/base/lsn.h"

namespace switchyard::capture {

class AckTracker {
 public:
  // Nothing before `confirmed` is ever asked for again.
  explicit AckTracker(Lsn confirmed) : confirmed_(confirmed) {}

  // Once the record `sequence` and all before it are durable, everything below `lsn` is on the
  // log. Both never go back.
  void Sent(uint64_t sequence, Lsn lsn);

  // The LSN to acknowledge, given the log writer's durable sequence.
  Lsn Confirm(uint64_t durable_sequence);

  // Something was sent that is not confirmed yet.
  bool pending() const { return !sent_.empty(); }

 private:
  struct Entry {
    uint64_t sequence;
    Lsn lsn;
  };
  std::deque<Entry> sent_;
  Lsn confirmed_;
};

}  // namespace switchyard::capture
