#include "common/records/proof/rehearsals.h"

namespace switchyard::records {
namespace {

// That the table is there, and the role has this privilege on it.
absl::StatusOr<bool> Has(const pg::Sql& sql, const char* privilege) {
  ASSIGN_OR_RETURN(const pg::Rows there, sql.Ask(R"(
    SELECT coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')
                             AND has_table_privilege(c.oid, $1)), false)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'switchyard' AND c.relname = 'rehearsal')",
                                                 {privilege}));
  return there.boolean(0, 0);
}

}  // namespace

absl::StatusOr<bool> MayKeepRehearsals(const pg::Sql& sql) {
  for (const char* privilege : {"SELECT", "INSERT", "UPDATE"}) {
    ASSIGN_OR_RETURN(const bool has, Has(sql, privilege));
    if (!has) return false;
  }
  return true;
}

absl::Status KeepRehearsal(const pg::Sql& sql, const std::string& stream,
                           const KeptRehearsal& rehearsal) {
  return sql.Run(
      "INSERT INTO switchyard.rehearsal (stream, fingerprint, verdict, batches, faults, seed) "
      "VALUES ($1, $2, $3, $4::bigint, $5::bigint, $6::bigint) "
      "ON CONFLICT (stream, fingerprint) DO UPDATE SET verdict = excluded.verdict, "
      "batches = excluded.batches, faults = excluded.faults, seed = excluded.seed, "
      "finished_at = clock_timestamp()",
      {stream, rehearsal.fingerprint, rehearsal.verdict, std::to_string(rehearsal.batches),
       std::to_string(rehearsal.faults), std::to_string(rehearsal.seed)});
}

absl::StatusOr<std::vector<KeptRehearsal>> LoadRehearsals(const pg::Sql& sql,
                                                          const std::string& stream) {
  std::vector<KeptRehearsal> all;
  ASSIGN_OR_RETURN(const bool readable, Has(sql, "SELECT"));
  if (!readable) return all;
  ASSIGN_OR_RETURN(const pg::Rows rows, sql.Ask(R"(
    SELECT fingerprint, verdict, batches, faults, seed,
           (extract(epoch FROM finished_at) * 1000000)::bigint,
           (extract(epoch FROM clock_timestamp() - finished_at) * 1000000)::bigint
    FROM switchyard.rehearsal WHERE stream = $1 ORDER BY finished_at DESC)",
                                                {stream}));
  for (int i = 0; i < rows.rows(); ++i) {
    all.push_back({.fingerprint = rows.str(i, 0),
                   .verdict = rows.str(i, 1),
                   .batches = rows.i64(i, 2),
                   .faults = rows.i64(i, 3),
                   .seed = rows.i64(i, 4),
                   .finished = absl::FromUnixMicros(rows.i64(i, 5)),
                   .age = absl::Microseconds(rows.i64(i, 6))});
  }
  return all;
}

}  // namespace switchyard::records
