#include "capture/source/failover.h"

#include "absl/strings/str_format.h"
#include "common/pg/server_version.h"

namespace switchyard::capture {

absl::StatusOr<FailoverNotes> LoadFailoverNotes(pg::Session& session, const std::string& slot) {
  FailoverNotes notes;
  if (session.server_version() < pg::kFailoverSlots) return notes;
  notes.facts.push_back(absl::StrFormat(
      "slot %s is one that standbys may keep: each that may be promoted needs "
      "sync_replication_slots "
      "= on, hot_standby_feedback = on, primary_slot_name and a dbname in primary_conninfo",
      slot));
  ASSIGN_OR_RETURN(const pg::Result named, session.Query(R"(
    SELECT trim(n.name), s.slot_name IS NULL, coalesce(s.slot_type = 'physical' AND s.active, false)
    FROM regexp_split_to_table(current_setting('synchronized_standby_slots'), ',') AS n(name)
    LEFT JOIN pg_replication_slots s ON s.slot_name = trim(both ' "' FROM n.name)
    WHERE trim(n.name) <> '')"));
  if (named.rows() == 0) {
    notes.warnings.emplace_back(
        "synchronized_standby_slots is empty: capture may read what no standby has yet, and once "
        "one is promoted that lacked it, everything is copied again; name the standbys' physical "
        "slots there");
  }
  for (int i = 0; i < named.rows(); ++i) {
    if (named.boolean(i, 2)) continue;
    notes.warnings.push_back(absl::StrFormat(
        "synchronized_standby_slots names slot %s, which %s: capture gets no changes while that is "
        "so",
        named.text(i, 0),
        named.boolean(i, 1) ? "is not there" : "no standby uses (or it is no physical one)"));
  }
  return notes;
}

}  // namespace switchyard::capture
