// A source with standbys (Postgres 17 and newer): what it takes that one which is promoted has the
// stream's slot, for `check` and the printed setup.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::capture {

// Lines of comment for the printed setup.
inline constexpr char kFailoverNeeds[] =
    "-- The slot will be one that standbys may keep (capture.failover). Each standby that may be\n"
    "-- promoted needs, in postgresql.conf: sync_replication_slots = on, hot_standby_feedback = "
    "on,\n"
    "-- primary_slot_name = 'ITS_SLOT', and a dbname in primary_conninfo. The primary needs\n"
    "-- synchronized_standby_slots = 'ITS_SLOT': without it capture may read what no standby has "
    "yet,\n"
    "-- and a promotion then costs a copy of everything.\n";

struct FailoverNotes {
  std::vector<std::string> facts, warnings;
};

// What `check` says of a source whose slot is to be kept by standbys. Nothing before Postgres 17.
absl::StatusOr<FailoverNotes> LoadFailoverNotes(pg::Session& session, const std::string& slot);

}  // namespace switchyard::capture
