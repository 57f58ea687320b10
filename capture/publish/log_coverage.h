// How far an event log covers its stream: what its end says.
//
//   ASSIGN_OR_RETURN(LogCoverage coverage, FindLogCoverage(*log, "shop.forward.changes", cancel));
//   if (coverage.covered < slot.confirmed_flush) ...  // the log lost its end, or is another one
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"

namespace switchyard::capture {

struct LogCoverage {
  std::string topic_id;  // TopicInfo::id
  bool empty = true;     // no record is kept
  bool trimmed = false;  // records were dropped from its beginning, perhaps all
  uint64_t epoch = 0;    // highest one found at the end
  Lsn covered;           // the commits below it are on the log; 0 when nothing kept tells
  Lsn reached;           // the furthest that any epoch there came, as far as it was read
};

// Reads back from the end of the topic until a Commit, Heartbeat or Hello of the newest epoch
// there tells. NotFound without the topic; Unavailable when the log is away; what the reader
// returns, unless what it missed was only trimmed meanwhile. A reader with nothing to give for
// twice `quiet` before the end of the topic is through: the last record is one of many parts whose
// rest was never written.
absl::StatusOr<LogCoverage> FindLogCoverage(eventlog::EventLog& log, const std::string& topic,
                                            const Cancel& cancel,
                                            absl::Duration quiet = absl::Seconds(5));

}  // namespace switchyard::capture
