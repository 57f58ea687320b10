#include "capture/source/source_state.h"

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/pg/server_version.h"
#include "common/records/source/capture_streams.h"

namespace switchyard::capture {
namespace {

absl::StatusOr<Lsn> LsnOrZero(const pg::Result& rows, int row, int column) {
  if (rows.is_null(row, column)) return Lsn();
  return Lsn::Parse(rows.text(row, column));
}

}  // namespace

absl::StatusOr<uint64_t> TakeEpoch(pg::Session& session, const records::Stream& stream,
                                   int walsender_pid, uint32_t timeline, uint64_t above) {
  uint64_t epoch = 0;
  const records::CaptureStreams streams(session, stream.name);
  RETURN_IF_ERROR(session.InTransaction([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<uint32_t> reached, streams.LockTimeline());
    ASSIGN_OR_RETURN(const pg::Result holder,
                     session.Query("SELECT coalesce(active_pid, 0) FROM pg_replication_slots "
                                   "WHERE slot_name = $1",
                                   {stream.slot}));
    if (holder.rows() == 0 || holder.i64(0, 0) != walsender_pid) {
      return absl::AbortedError(absl::StrFormat("slot %s is not held any more", stream.slot));
    }
    if (!reached.has_value()) {
      return Refuse(
          absl::StrFormat("the record that OLD keeps of stream %s was deleted", stream.name),
          kCopyAllAnew);
    }
    if (*reached != timeline) {
      return absl::AbortedError(
          absl::StrFormat("stream %s went on on timeline %d", stream.name, *reached));
    }
    ASSIGN_OR_RETURN(epoch, streams.TakeEpoch(above));
    return absl::OkStatus();
  }));
  return epoch;
}

absl::StatusOr<bool> TryLockStream(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   session.Query("SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))",
                                 {kStreamLockSpace, stream}));
  return row.boolean(0, 0);
}

absl::StatusOr<std::optional<SlotState>> LoadSlot(pg::Session& session, const std::string& slot) {
  const int version = session.server_version();
  const char* invalidation = version >= 170000   ? "invalidation_reason"
                             : version >= 160000 ? "CASE WHEN conflicting THEN 'conflicting' END"
                                                 : "NULL";
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(
          absl::StrFormat("SELECT slot_type = 'logical' AND plugin = 'pgoutput', %s, "
                          "database, confirmed_flush_lsn, coalesce(%s, %s), %s, active "
                          "FROM pg_replication_slots WHERE slot_name = $1",
                          version >= pg::kTwoPhaseSlots ? "two_phase" : "false", invalidation,
                          version >= pg::kTellsSlotWal
                              ? "CASE wal_status WHEN 'lost' THEN wal_status END"
                              : "NULL",
                          version >= pg::kFailoverSlots ? "failover" : "false"),
          {slot}));
  if (rows.rows() == 0) return std::nullopt;
  SlotState state;
  state.logical_pgoutput = rows.boolean(0, 0);
  state.two_phase = rows.boolean(0, 1);
  state.database = rows.str(0, 2);
  ASSIGN_OR_RETURN(state.confirmed_flush, LsnOrZero(rows, 0, 3));
  state.invalidation = rows.str(0, 4);
  state.failover = rows.boolean(0, 5);
  state.active = rows.boolean(0, 6);
  return state;
}

absl::StatusOr<std::optional<SlotHolder>> LoadSlotHolder(pg::Session& session,
                                                         const std::string& slot,
                                                         const std::string& capture_name) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
           (a.usename = current_user AND a.application_name = $2) IS TRUE
    FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE s.slot_name = $1)",
                                                        {slot, capture_name}));
  if (rows.rows() == 0) return std::nullopt;
  return SlotHolder{.pid = static_cast<int>(rows.i64(0, 0)),
                    .role = rows.str(0, 1),
                    .application_name = rows.str(0, 2),
                    .is_capture = rows.boolean(0, 3)};
}

}  // namespace switchyard::capture
