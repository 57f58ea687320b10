// A cutover or rollback walked without changing anything: the same controller and protocol over
// ports that only read. What can be timed is timed; what would write is forecast from what was.
//
//   const Rehearsal rehearsal = Rehearse(Goal::kToNew, ports, {.fenced_tables = 312}, clock,
//   cancel); rehearsal.pause  // what writers would have waited for
//
// Calls of the given ports: reads, a heartbeat's round trip, a look at proxies. No epoch, lock,
// marker, row, sequence, entry of the journal, nor PAUSE. One thread.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/clock.h"
#include "cutover/controller.h"
#include "cutover/ports.h"

namespace switchyard::cutover {

struct DryRunOptions {
  Options controller;
  int fenced_tables = 0;  // mapped tables and their leaves, of the side that closes
};

struct Forecast {
  Phase phase = Phase::kReadRow;
  absl::Duration took;
  bool measured = false;  // else: computed from what was measured
};

struct Rehearsal {
  Report report;  // kDone: it could have been done now; refused gates as in earnest
  std::vector<Forecast> steps;
  absl::Duration pause;                 // from holding the proxies until clients go on
  std::vector<std::string> in_the_way;  // who would have kept the locks from being had
};

Rehearsal Rehearse(Goal goal, const Ports& ports, const DryRunOptions& options, const Clock& clock,
                   const Cancel& cancel);

}  // namespace switchyard::cutover
