#include "common/records/stream_store.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace switchyard::records {

namespace {

absl::StatusOr<Lsn> LsnAt(const pg::Result& rows, int column) {
  return rows.is_null(0, column) ? absl::StatusOr<Lsn>(Lsn()) : Lsn::Parse(rows.text(0, column));
}

}  // namespace

absl::StatusOr<StreamState> StreamStore::Load() {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_.Query(
          "SELECT state, coalesce(stop_reason, ''), epoch, lsn, covered_lsn, log_offset, "
          "copy_offset, copy_lsn, hold_lsn, fingerprint, catalog "
          "FROM switchyard.stream WHERE name = $1",
          {stream_}));
  if (row.rows() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("stream ", stream_, " is not installed on the target"));
  }
  StreamState state{.state = row.str(0, 0),
                    .stop_reason = row.str(0, 1),
                    .copy_offset = row.i64(0, 6),
                    .fingerprint = row.str(0, 9),
                    .catalog = row.str(0, 10)};
  state.position.epoch = static_cast<uint64_t>(row.i64(0, 2));
  state.position.next_offset = row.i64(0, 5);
  ASSIGN_OR_RETURN(state.position.lsn, LsnAt(row, 3));
  ASSIGN_OR_RETURN(state.position.covered_lsn, LsnAt(row, 4));
  ASSIGN_OR_RETURN(state.copy_lsn, LsnAt(row, 7));
  if (!row.is_null(0, 8)) {
    ASSIGN_OR_RETURN(state.hold_lsn, LsnAt(row, 8));
  }
  return state;
}

absl::Status StreamStore::SetState(const std::string& state, const std::string& stop_reason) {
  return session_
      .Query(
          "UPDATE switchyard.stream SET state = $2, stop_reason = nullif($3, ''), "
          "updated_at = clock_timestamp() WHERE name = $1",
          {stream_, state, stop_reason})
      .status();
}

absl::Status StreamStore::SetDoing(const std::string& work) {
  return session_
      .Query("UPDATE switchyard.stream SET doing = $2 WHERE name = $1 AND doing <> $2",
             {stream_, work})
      .status();
}

absl::Status StreamStore::NoteRefusedStart(const std::string& reason) {
  return session_
      .Query(
          "INSERT INTO switchyard.stream AS s (name, state, stop_reason) VALUES ($1, 'stopped', $2)"
          " ON CONFLICT (name) DO UPDATE SET state = 'stopped', stop_reason = $2, "
          "updated_at = clock_timestamp()",
          {stream_, reason})
      .status();
}

absl::Status StreamStore::LockAt(const Position& position) {
  refused_by_hold_ = false;
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_.QueryPrepared("SELECT 1 FROM switchyard.stream WHERE name = $1 AND lsn = $2::pg_lsn "
                             "AND epoch = $3::bigint AND log_offset = $4::bigint FOR UPDATE",
                             {stream_, position.lsn.ToString(), std::to_string(position.epoch),
                              std::to_string(position.next_offset)}));
  return row.rows() == 1 ? absl::OkStatus() : WhyNotAt(position);
}

absl::Status StreamStore::Move(const Position& from, const Advance& step) {
  const auto number = [](auto value) { return std::to_string(value); };
  refused_by_hold_ = false;
  ASSIGN_OR_RETURN(
      const pg::Result moved,
      session_.QueryPrepared(
          "UPDATE switchyard.stream SET epoch = $5::bigint, lsn = $6::pg_lsn, "
          "covered_lsn = $7::pg_lsn, log_offset = $8::bigint, "
          "transactions = transactions + $9::bigint, rows = rows + $10::bigint, "
          "commit_time = CASE WHEN $11::bigint = 0 THEN commit_time ELSE "
          "timestamptz 'epoch' + $11::bigint * interval '1 microsecond' END, "
          "held_at = CASE WHEN $6::pg_lsn < hold_lsn AND hold_lsn <= $7::pg_lsn THEN hold_lsn END, "
          "updated_at = clock_timestamp() "
          "WHERE name = $1 AND lsn = $2::pg_lsn AND epoch = $3::bigint AND log_offset = $4::bigint "
          "AND (hold_lsn IS NULL OR hold_lsn > $6::pg_lsn OR lsn = $6::pg_lsn)",
          {stream_, from.lsn.ToString(), number(from.epoch), number(from.next_offset),
           number(step.to.epoch), step.to.lsn.ToString(), step.to.covered_lsn.ToString(),
           number(step.to.next_offset), number(step.transactions), number(step.rows),
           number(step.commit_time_us)}));
  return moved.affected() == 1 ? absl::OkStatus() : WhyNotAt(from);
}

absl::StatusOr<std::optional<Lsn>> StreamStore::AnswerHold(Lsn next) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_.QueryPrepared(
          "WITH answer AS (SELECT CASE WHEN lsn < hold_lsn AND (covered_lsn >= hold_lsn OR "
          "hold_lsn <= $2::pg_lsn) THEN hold_lsn END AS held_at FROM switchyard.stream WHERE name "
          "= $1), "
          "told AS (UPDATE switchyard.stream s SET held_at = a.held_at FROM answer a "
          "WHERE s.name = $1 AND s.held_at IS DISTINCT FROM a.held_at) "
          "SELECT hold_lsn FROM switchyard.stream WHERE name = $1",
          {stream_, next.ToString()}));
  if (row.rows() == 0 || row.is_null(0, 0)) return std::nullopt;
  ASSIGN_OR_RETURN(const Lsn hold, Lsn::Parse(row.text(0, 0)));
  return hold;
}

absl::Status StreamStore::WhyNotAt(const Position& position) {
  ASSIGN_OR_RETURN(const StreamState state, Load());
  refused_by_hold_ = state.position.lsn == position.lsn && state.position.epoch == position.epoch &&
                     state.position.next_offset == position.next_offset;
  if (refused_by_hold_) return absl::AbortedError("held before the end of the step");
  return absl::AbortedError(absl::StrFormat(
      "stream %s stands at %s (epoch %d), not at %s (epoch %d): another replayer, or the target "
      "lost its last commits in a crash",
      stream_, state.position.lsn.ToString(), state.position.epoch, position.lsn.ToString(),
      position.epoch));
}

}  // namespace switchyard::records
