#include "common/records/missed_rows.h"

namespace switchyard::records {

absl::Status AddMissedRows(const pg::Sql& sql, const std::string& stream,
                           const MissedRows& missed) {
  return sql.Run(
      "INSERT INTO switchyard.missed_rows AS m "
      "(stream, source, target, rows, first_lsn, last_lsn) "
      "VALUES ($1, $2, $3, $4::bigint, $5::pg_lsn, $6::pg_lsn) "
      "ON CONFLICT (stream, source, target) DO UPDATE SET "
      "rows = m.rows + excluded.rows, last_lsn = excluded.last_lsn",
      {stream, missed.source, missed.table, std::to_string(missed.rows),
       missed.first_lsn.ToString(), missed.last_lsn.ToString()});
}

absl::Status ForgetMissedRows(const pg::Sql& sql, const std::string& stream,
                              const std::string& source) {
  return sql.Run("DELETE FROM switchyard.missed_rows WHERE stream = $1 AND source = $2",
                 {stream, source});
}

absl::Status ForgetAllMissedRows(const pg::Sql& sql, const std::string& stream) {
  return sql.Run("DELETE FROM switchyard.missed_rows WHERE stream = $1", {stream});
}

absl::StatusOr<std::vector<MissedRows>> LoadMissedRows(const pg::Sql& sql,
                                                       const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Rows there,
                   sql.Ask("SELECT to_regclass('switchyard.missed_rows') IS NOT NULL"));
  if (!there.boolean(0, 0)) return std::vector<MissedRows>();
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql.Ask("SELECT source, target, rows, first_lsn, last_lsn FROM "
                           "switchyard.missed_rows WHERE stream = $1 ORDER BY source, target",
                           {stream}));
  std::vector<MissedRows> all;
  for (int i = 0; i < rows.rows(); ++i) {
    MissedRows& missed = all.emplace_back();
    missed.source = rows.str(i, 0);
    missed.table = rows.str(i, 1);
    missed.rows = rows.i64(i, 2);
    ASSIGN_OR_RETURN(missed.first_lsn, Lsn::Parse(rows.text(i, 3)));
    ASSIGN_OR_RETURN(missed.last_lsn, Lsn::Parse(rows.text(i, 4)));
  }
  return all;
}

}  // namespace switchyard::records
