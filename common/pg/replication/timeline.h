// Where the earlier timelines of a server ended: the history it was promoted out of.
//
//   ASSIGN_OR_RETURN(const TimelineEnds ends, LoadTimelineEnds({.dsn = dsn, .timeline = 3},
//   cancel)); ends.find(2)   // below that LSN the server has what timeline 2 had; not there: it
//   never was on 2
//
// Source of the format: PostgreSQL manual, "Streaming Replication Protocol", TIMELINE_HISTORY.
// Thread safety: functions over plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/connection_string.h"

namespace switchyard::pg {

using TimelineEnds = std::map<uint32_t, Lsn>;  // by timeline

struct TimelineOptions {
  ConnectionString dsn;
  std::string application_name;
  uint32_t timeline = 0;  // the one the server is on
};

// Over a replication connection of its own. Unavailable: no server. FailedPrecondition: no
// REPLICATION right, or the server has no such timeline. The first timeline has no history: empty.
absl::StatusOr<TimelineEnds> LoadTimelineEnds(const TimelineOptions& options, const Cancel& cancel);

// The text of a timeline's history file. DataLoss: it is none.
absl::StatusOr<TimelineEnds> ParseTimelineHistory(std::string_view text);

}  // namespace switchyard::pg
