#include "common/records/copies.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace switchyard::records {
namespace {

CopyState StateOf(bool done, bool gone) {
  if (gone) return CopyState::kGone;
  return done ? CopyState::kLoaded : CopyState::kLoading;
}

// -1 stands for "not known".
std::optional<int64_t> Estimate(const pg::Rows& rows, int row, int column) {
  const int64_t value = rows.i64(row, column);
  return value < 0 ? std::nullopt : std::optional(value);
}

std::optional<absl::Time> TimeAt(const pg::Rows& rows, int row, int column) {
  if (rows.is_null(row, column)) return std::nullopt;
  return absl::FromUnixMicros(rows.i64(row, column));
}

std::string OidArray(const std::vector<uint32_t>& oids) {
  return absl::StrCat("{", absl::StrJoin(oids, ","), "}");
}

}  // namespace

absl::StatusOr<std::vector<Copy>> Copies::All() {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT relation_id::bigint, table_name, generation, lsn, done, gone, rows, bytes,
           rows_estimate, bytes_estimate, (extract(epoch FROM started_at) * 1000000)::bigint,
           (extract(epoch FROM finished_at) * 1000000)::bigint,
           (extract(epoch FROM worked) * 1000000)::bigint
    FROM switchyard.copy WHERE stream = $1 ORDER BY bytes_estimate DESC, relation_id)",
                                                 {stream_}));
  std::vector<Copy> copies;
  for (int i = 0; i < rows.rows(); ++i) {
    Copy& copy = copies.emplace_back();
    copy.relation_id = static_cast<uint32_t>(rows.i64(i, 0));
    copy.table = rows.str(i, 1);
    copy.generation = static_cast<uint64_t>(rows.i64(i, 2));
    ASSIGN_OR_RETURN(copy.lsn, Lsn::Parse(rows.text(i, 3)));
    copy.state = StateOf(rows.boolean(i, 4), rows.boolean(i, 5));
    copy.rows = rows.i64(i, 6);
    copy.bytes = rows.i64(i, 7);
    copy.rows_estimate = Estimate(rows, i, 8);
    copy.bytes_estimate = Estimate(rows, i, 9);
    copy.started = absl::FromUnixMicros(rows.i64(i, 10));
    copy.finished = TimeAt(rows, i, 11);
    copy.worked = absl::Microseconds(rows.i64(i, 12));
  }
  return copies;
}

absl::StatusOr<std::map<uint32_t, Lsn>> Copies::Points() {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT relation_id::bigint, lsn FROM switchyard.copy WHERE stream = $1",
               {stream_}));
  std::map<uint32_t, Lsn> points;
  for (int i = 0; i < rows.rows(); ++i) {
    ASSIGN_OR_RETURN(points[static_cast<uint32_t>(rows.i64(i, 0))], Lsn::Parse(rows.text(i, 1)));
  }
  return points;
}

absl::StatusOr<CopyPoints> Copies::Range() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT min(lsn), max(lsn) FROM switchyard.copy WHERE stream = $1", {stream_}));
  CopyPoints points;
  if (row.is_null(0, 0)) return points;
  ASSIGN_OR_RETURN(points.first, Lsn::Parse(row.text(0, 0)));
  ASSIGN_OR_RETURN(points.last, Lsn::Parse(row.text(0, 1)));
  return points;
}

absl::StatusOr<std::optional<Lsn>> Copies::OldestPoint(const std::vector<uint32_t>& relation_ids) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT min(lsn) FROM switchyard.copy WHERE stream = $1 AND NOT gone "
                            "AND relation_id = ANY($2::oid[])",
                            {stream_, OidArray(relation_ids)}));
  if (row.is_null(0, 0)) return std::nullopt;
  ASSIGN_OR_RETURN(const Lsn point, Lsn::Parse(row.text(0, 0)));
  return point;
}

absl::StatusOr<bool> Copies::AreLoadedSince(const std::vector<uint32_t>& relation_ids, Lsn seen) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask(R"(
      SELECT cardinality($2::oid[]) > 0 AND cardinality($2::oid[]) = (
               SELECT count(*) FROM switchyard.copy c
               WHERE c.stream = $1 AND c.done AND NOT c.gone AND c.relation_id = ANY($2::oid[])
                 AND c.lsn >= $3::pg_lsn))",
                            {stream_, OidArray(relation_ids), seen.ToString()}));
  return row.boolean(0, 0);
}

absl::StatusOr<std::optional<absl::Time>> Copies::ClockAt(Lsn point) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT (extract(epoch FROM min(copied_at)) * 1000000)::bigint "
                            "FROM switchyard.copy "
                            "WHERE stream = $1 AND lsn = $2::pg_lsn AND NOT gone",
                            {stream_, point.ToString()}));
  return TimeAt(row, 0, 0);
}

absl::Status Copies::Begin(const event::v1::CopyPoint& point) {
  return sql_.Run(
      "INSERT INTO switchyard.copy (stream, relation_id, table_name, generation, lsn, "
      "rows_estimate, bytes_estimate, copied_at) VALUES ($1, $2::oid, $3, $4::bigint, "
      "$5::pg_lsn, $6::bigint, $7::bigint, "
      "timestamptz 'epoch' + nullif($8::bigint, 0) * interval '1 microsecond') "
      "ON CONFLICT (stream, relation_id) DO UPDATE SET generation = excluded.generation, "
      "lsn = excluded.lsn, done = false, gone = false, rows = 0, bytes = 0, "
      "rows_estimate = excluded.rows_estimate, bytes_estimate = excluded.bytes_estimate, "
      "copied_at = excluded.copied_at, started_at = now(), finished_at = NULL, worked = '0', "
      "worked_until = NULL",
      {stream_, std::to_string(point.relation_id()),
       absl::StrCat(point.relation().schema(), ".", point.relation().name()),
       std::to_string(point.generation()), Lsn(point.lsn()).ToString(),
       std::to_string(point.rows_estimate()), std::to_string(point.bytes_estimate()),
       std::to_string(point.time_us())});
}

absl::Status Copies::BeginAgain(uint32_t relation_id) {
  return sql_.Run(
      "UPDATE switchyard.copy SET done = false, gone = false, rows = 0, bytes = 0, "
      "finished_at = NULL, worked = '0', worked_until = NULL "
      "WHERE stream = $1 AND relation_id = $2::oid",
      {stream_, std::to_string(relation_id)});
}

// Transactions of several connections overlap: what is counted is counted once.
absl::Status Copies::AddLoaded(uint32_t relation_id, int64_t rows, int64_t bytes) {
  return sql_
      .AskPrepared(
          "UPDATE switchyard.copy SET rows = rows + $3::bigint, bytes = bytes + $4::bigint, "
          "worked = worked + greatest(clock_timestamp() - greatest(now(), worked_until), '0'), "
          "worked_until = greatest(clock_timestamp(), worked_until) "
          "WHERE stream = $1 AND relation_id = $2::oid",
          {stream_, std::to_string(relation_id), std::to_string(rows), std::to_string(bytes)})
      .status();
}

absl::StatusOr<int64_t> Copies::End(uint32_t relation_id) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.AskPrepared("UPDATE switchyard.copy SET done = true, finished_at = clock_timestamp() "
                       "WHERE stream = $1 AND relation_id = $2::oid RETURNING rows",
                       {stream_, std::to_string(relation_id)}));
  return row.rows() == 1 ? row.i64(0, 0) : 0;
}

absl::Status Copies::LeaveOut(uint32_t relation_id, const std::string& table, Lsn point) {
  return sql_.Run(
      "INSERT INTO switchyard.copy (stream, relation_id, table_name, generation, lsn, done, gone) "
      "VALUES ($1, $2::oid, $3, 0, $4::pg_lsn, true, true) ON CONFLICT (stream, relation_id) "
      "DO UPDATE SET done = true, gone = true, lsn = excluded.lsn",
      {stream_, std::to_string(relation_id), table, point.ToString()});
}

absl::StatusOr<bool> Copies::NoteGone(uint32_t relation_id) {
  ASSIGN_OR_RETURN(const pg::Rows noted,
                   sql_.Ask("UPDATE switchyard.copy SET gone = true "
                            "WHERE stream = $1 AND relation_id = $2::oid AND NOT gone",
                            {stream_, std::to_string(relation_id)}));
  return noted.affected() > 0;
}

absl::StatusOr<bool> Copies::NoteFound(uint32_t relation_id) {
  ASSIGN_OR_RETURN(const pg::Rows noted,
                   sql_.Ask("UPDATE switchyard.copy SET gone = false "
                            "WHERE stream = $1 AND relation_id = $2::oid AND gone",
                            {stream_, std::to_string(relation_id)}));
  return noted.affected() > 0;
}

absl::Status Copies::Forget() {
  return sql_.Run("DELETE FROM switchyard.copy WHERE stream = $1", {stream_});
}

}  // namespace switchyard::records
