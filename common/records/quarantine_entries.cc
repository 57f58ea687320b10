#include "common/records/quarantine_entries.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/id_map.h"
#include "common/records/shown_values.h"

namespace switchyard::records {
namespace {

// unique_violation, exclusion_violation: another row stands in the way.
constexpr char kClashes[] = "'23505', '23P01'";

absl::StatusOr<EntryOperation> OperationOf(std::string_view text) {
  for (const EntryOperation operation : {EntryOperation::kInsert, EntryOperation::kUpdate,
                                         EntryOperation::kDelete, EntryOperation::kRecompute}) {
    if (ToString(operation) == text) return operation;
  }
  return Lost(absl::StrCat("switchyard.quarantine holds an operation \"", std::string(text),
                           "\", which this program does not know"),
              "use the program that wrote it, or a newer one");
}

absl::StatusOr<QuarantineEntry> EntryAt(const pg::Rows& rows, int i) {
  ASSIGN_OR_RETURN(const EntryOperation operation, OperationOf(rows.text(i, 3)));
  return QuarantineEntry{.id = rows.i64(i, 0),
                         .target = rows.str(i, 1),
                         .scope = rows.str(i, 2),
                         .operation = operation,
                         .lsn = rows.str(i, 4),
                         .sqlstate = rows.str(i, 5),
                         .error = rows.str(i, 6),
                         .events = rows.i64(i, 7),
                         .first_seen = absl::FromUnixMicros(rows.i64(i, 8)),
                         .last_seen = absl::FromUnixMicros(rows.i64(i, 9))};
}

// A column of the table, a JSON object or an array of them, without the values of the columns in
// $3.
std::string Shown(std::string_view column) {
  return ShownValuesSql(column, "split_part(target, ' where ', 1)", "$3::text[]");
}

std::string EntryColumns() {
  return absl::StrCat("id, target, ", Shown("scope"),
                      ", operation, lsn, sqlstate, error, events, "
                      "(extract(epoch FROM first_seen) * 1000000)::bigint, "
                      "(extract(epoch FROM last_seen) * 1000000)::bigint");
}

std::vector<int64_t> Ids(const pg::Rows& rows) {
  std::vector<int64_t> ids;
  for (int i = 0; i < rows.rows(); ++i) ids.push_back(rows.i64(i, 0));
  return ids;
}

}  // namespace

std::string ToString(EntryOperation operation) {
  switch (operation) {
    case EntryOperation::kInsert:
      return "insert";
    case EntryOperation::kUpdate:
      return "update";
    case EntryOperation::kDelete:
      return "delete";
    case EntryOperation::kRecompute:
      return "recompute";
  }
  return "";
}

absl::StatusOr<int64_t> QuarantineEntries::Count() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT count(*) FROM switchyard.quarantine WHERE stream = $1", {stream_}));
  return row.i64(0, 0);
}

absl::StatusOr<QuarantineEntries::Counts> QuarantineEntries::CountByFault() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(absl::StrCat("SELECT count(*), count(*) FILTER (WHERE sqlstate NOT IN ('23503', ",
                            kClashes, ")) FROM switchyard.quarantine WHERE stream = $1"),
               {stream_}));
  return Counts{.all = row.i64(0, 0), .own_fault = row.i64(0, 1)};
}

absl::StatusOr<QuarantineEntries::Frequent> QuarantineEntries::MostFrequent() {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT target, sqlstate, count(*) FROM switchyard.quarantine "
                            "WHERE stream = $1 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 1",
                            {stream_}));
  return Frequent{.target = row.str(0, 0), .sqlstate = row.str(0, 1), .entries = row.i64(0, 2)};
}

absl::StatusOr<std::vector<std::string>> QuarantineEntries::Targets() {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT DISTINCT target FROM switchyard.quarantine WHERE stream = $1", {stream_}));
  std::vector<std::string> targets;
  for (int i = 0; i < rows.rows(); ++i) targets.push_back(rows.str(i, 0));
  return targets;
}

absl::StatusOr<std::vector<int64_t>> QuarantineEntries::IdsOf(const std::string& target) {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask("SELECT id FROM switchyard.quarantine WHERE stream = $1 AND "
                            "target = $2 ORDER BY id",
                            {stream_, target}));
  return Ids(rows);
}

absl::StatusOr<std::vector<int64_t>> QuarantineEntries::ClashesOf(const std::string& target,
                                                                  int64_t after,
                                                                  std::optional<int64_t> limit) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask(absl::StrCat("SELECT id FROM switchyard.quarantine WHERE stream = $1 AND "
                            "target = $2 AND sqlstate IN (",
                            kClashes, ") AND id > $3::bigint ORDER BY id LIMIT $4::bigint"),
               {stream_, target, std::to_string(after),
                limit ? pg::Param(std::to_string(*limit)) : pg::Param()}));
  return Ids(rows);
}

absl::StatusOr<std::vector<int64_t>> QuarantineEntries::WaitingOf(const std::string& target,
                                                                  int64_t after, int64_t limit) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT id FROM switchyard.quarantine WHERE stream = $1 AND target = $2 "
               "AND sqlstate = '23503' AND id > $3::bigint ORDER BY id LIMIT $4::bigint",
               {stream_, target, std::to_string(after), std::to_string(limit)}));
  return Ids(rows);
}

absl::StatusOr<bool> QuarantineEntries::Has(int64_t id) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT FROM switchyard.quarantine WHERE stream = $1 AND id = $2::bigint",
               {stream_, std::to_string(id)}));
  return row.rows() > 0;
}

absl::StatusOr<bool> QuarantineEntries::Has(int64_t id, const std::string& target) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT FROM switchyard.quarantine WHERE stream = $1 AND "
                            "target = $2 AND id = $3::bigint",
                            {stream_, target, std::to_string(id)}));
  return row.rows() > 0;
}

absl::StatusOr<QuarantineEntries::Page> QuarantineEntries::List(
    int64_t limit, const std::vector<std::string>& hidden) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask(absl::StrCat("SELECT ", EntryColumns(),
                            ", count(*) OVER () FROM switchyard.quarantine WHERE stream = $1 "
                            "ORDER BY id LIMIT $2::bigint"),
               {stream_, std::to_string(limit), ArrayLiteral(hidden)}));
  Page page;
  for (int i = 0; i < rows.rows(); ++i) {
    ASSIGN_OR_RETURN(QuarantineEntry entry, EntryAt(rows, i));
    page.entries.push_back(std::move(entry));
    page.total = rows.i64(i, 10);
  }
  return page;
}

absl::StatusOr<std::optional<QuarantineEntry>> QuarantineEntries::Find(
    int64_t id, const std::vector<std::string>& hidden) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask(absl::StrCat("SELECT ", EntryColumns(), ", ", Shown("image"), ", ",
                                         Shown("before"), ", detail, ", Shown("there"),
                                         " FROM switchyard.quarantine WHERE stream = $1 "
                                         "AND id = $2::bigint"),
                            {stream_, std::to_string(id), ArrayLiteral(hidden)}));
  if (row.rows() == 0) return std::nullopt;
  ASSIGN_OR_RETURN(QuarantineEntry entry, EntryAt(row, 0));
  entry.image = row.str(0, 10);
  entry.before = row.str(0, 11);
  entry.detail = row.str(0, 12);
  entry.there = row.str(0, 13);
  return entry;
}

absl::Status QuarantineEntries::AddRow(const std::string& target, const StagedRowSql& row,
                                       int64_t number, Lsn lsn, const pg::ErrorFields& error) {
  const std::string sql = absl::StrReplaceAll(R"(
    INSERT INTO switchyard.quarantine AS q
      (stream, target, scope, before, operation, image, lsn, sqlstate, error, detail)
    SELECT $1, $2,
           CASE WHEN sy__op = 'D' THEN {old_key} ELSE {new_key} END,
           CASE WHEN sy__op <> 'I' THEN {old_key} END,
           CASE sy__op WHEN 'I' THEN 'insert' WHEN 'D' THEN 'delete' ELSE 'update' END,
           CASE WHEN sy__op <> 'D' THEN {image} END,
           $3::pg_lsn, $4, $5, $6
    FROM {table} AS sy_s WHERE sy__ord = $7::int
    ON CONFLICT (stream, target, jsonb_hash_extended(scope, 0::bigint),
                 jsonb_hash_extended(scope, 1::bigint), (operation = 'delete')) DO UPDATE SET
      operation = excluded.operation, image = excluded.image, lsn = excluded.lsn,
      sqlstate = excluded.sqlstate, error = excluded.error, detail = excluded.detail,
      events = q.events + 1, last_seen = clock_timestamp())",
                                              {{"{old_key}", row.old_key},
                                               {"{new_key}", row.new_key},
                                               {"{image}", row.image},
                                               {"{table}", row.table}});
  return sql_.Run(sql, {stream_, target, lsn.ToString(), error.sqlstate, error.primary,
                        error.detail, std::to_string(number)});
}

absl::StatusOr<std::vector<QuarantineEntries::Folded>> QuarantineEntries::Fold(
    const std::string& target, const StagedRowSql& row, Lsn lsn) {
  // A row that comes where an entry's row is still to be moved away is another one. An insert that
  // is deleted again leaves nothing to do.
  const std::string fold = absl::StrReplaceAll(R"(
    WITH folded AS (
      UPDATE switchyard.quarantine q SET
        scope = pg_catalog.jsonb_build_object('sy__folded', q.id),
        operation = CASE WHEN sy_s.sy__op = 'D' AND q.before IS NULL THEN 'nothing'
                         WHEN sy_s.sy__op = 'D' THEN 'delete'
                         WHEN q.operation = 'delete' THEN 'update'
                         ELSE q.operation END,
        image = CASE WHEN sy_s.sy__op <> 'D' THEN coalesce(q.image, '{}') || {image} END,
        lsn = $3::pg_lsn, events = q.events + 1, last_seen = clock_timestamp()
      FROM {table} AS sy_s CROSS JOIN LATERAL (
        SELECT CASE WHEN sy_s.sy__op = 'I' THEN {new_key} ELSE {old_key} END AS scope OFFSET 0
      ) AS sy_j
      WHERE q.stream = $1 AND q.target = $2 AND q.scope = sy_j.scope
        AND jsonb_hash_extended(q.scope, 0::bigint) = jsonb_hash_extended(sy_j.scope, 0::bigint)
        AND (sy_s.sy__op = 'I') = (q.operation = 'delete')
      RETURNING q.id, q.operation, sy_s.sy__ord,
                CASE WHEN sy_s.sy__op = 'D' THEN q.before ELSE {new_key} END AS scope),
    gone AS (DELETE FROM {table} t USING folded f WHERE t.sy__ord = f.sy__ord)
    SELECT id, scope, operation = 'nothing' FROM folded ORDER BY id)",
                                               {{"{old_key}", row.old_key},
                                                {"{new_key}", row.new_key},
                                                {"{image}", row.image},
                                                {"{table}", row.table}});
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(fold, {stream_, target, lsn.ToString()}));
  std::vector<Folded> folded;
  for (int i = 0; i < rows.rows(); ++i) {
    folded.push_back(
        {.id = rows.i64(i, 0), .key = rows.str(i, 1), .nothing_left = rows.boolean(i, 2)});
  }
  return folded;
}

absl::Status QuarantineEntries::MoveTo(int64_t id, const std::string& key) {
  return sql_
      .AskPrepared("UPDATE switchyard.quarantine SET scope = $2::jsonb WHERE id = $1::bigint",
                   {std::to_string(id), key})
      .status();
}

absl::Status QuarantineEntries::Stage(int64_t id, int64_t number, const EntryRowSql& row) {
  return sql_
      .AskPrepared(
          absl::StrCat("INSERT INTO ", row.stage,
                       " SELECT CASE operation WHEN 'insert' THEN 'I' WHEN 'delete' THEN 'D' ELSE "
                       "CASE WHEN before = scope THEN 'U' ELSE 'K' END END, $2::int, ",
                       row.absent, ", ", row.values,
                       " FROM switchyard.quarantine WHERE id = $1::bigint"),
          {std::to_string(id), std::to_string(number)})
      .status();
}

absl::Status QuarantineEntries::Refuse(int64_t id, const pg::ErrorFields& error) {
  return sql_
      .AskPrepared(
          "UPDATE switchyard.quarantine SET sqlstate = $2, error = $3, detail = $4 "
          "WHERE id = $1::bigint",
          {std::to_string(id), error.sqlstate, error.primary, error.detail})
      .status();
}

absl::Status QuarantineEntries::AddScope(const std::string& target, const std::string& scope,
                                         Lsn lsn, const pg::ErrorFields& error) {
  return sql_.Run(
      "INSERT INTO switchyard.quarantine (stream, target, scope, operation, lsn, sqlstate, "
      "error, detail) VALUES ($1, $2, $3::jsonb, 'recompute', $4::pg_lsn, $5, $6, $7)",
      {stream_, target, scope, lsn.ToString(), error.sqlstate, error.primary, error.detail});
}

absl::Status QuarantineEntries::AskRecompute(const std::string& target, const std::string& scope,
                                             Lsn lsn, const std::string& why) {
  return sql_.Run(
      "INSERT INTO switchyard.quarantine (stream, target, scope, operation, lsn, sqlstate, error) "
      "VALUES ($1, $2, $3::jsonb, 'recompute', $4::pg_lsn, '00000', $5) ON CONFLICT DO NOTHING",
      {stream_, target, scope, lsn.ToString(), why});
}

// By the equality of the columns' types: the same scope may come with another text.
std::string QuarantineEntries::EntriesOf(const ScopesSql& scopes) const {
  return absl::StrCat(
      "(SELECT e.sy__id FROM (SELECT q.id AS sy__id, r.* FROM switchyard.quarantine q CROSS JOIN "
      "LATERAL "
      "jsonb_populate_record(NULL::",
      scopes.table, ", q.scope) AS r WHERE q.stream = $1 AND q.target = $2 OFFSET 0) AS e JOIN ",
      scopes.table, " AS s ON ", scopes.equal, " WHERE ", scopes.condition, ")");
}

absl::StatusOr<bool> QuarantineEntries::RefuseScopes(const std::string& target,
                                                     const ScopesSql& scopes, Lsn lsn,
                                                     const pg::ErrorFields& error) {
  ASSIGN_OR_RETURN(
      const pg::Rows known,
      sql_.Ask(
          absl::StrCat("UPDATE switchyard.quarantine SET lsn = greatest(lsn, $3::pg_lsn), "
                       "sqlstate = $4, error = $5, detail = $6, "
                       "events = events + (lsn < $3::pg_lsn)::int, last_seen = clock_timestamp() "
                       "WHERE id IN ",
                       EntriesOf(scopes)),
          {stream_, target, lsn.ToString(), error.sqlstate, error.primary, error.detail}));
  return known.affected() > 0;
}

absl::Status QuarantineEntries::KeepImages(const std::string& target, const ScopesSql& scopes,
                                           const ScopeImagesSql& images) {
  return sql_.Run(absl::StrCat("UPDATE switchyard.quarantine SET before = ", images.before,
                               ", image = ", images.after, ", there = ", images.there,
                               " WHERE id IN ", EntriesOf(scopes)),
                  {stream_, target});
}

absl::Status QuarantineEntries::TakeBefore(const std::string& target, const ScopesSql& scopes,
                                           const BeforeRowsSql& rows) {
  const std::string entries = absl::StrCat(
      " FROM switchyard.quarantine AS q WHERE before IS NOT NULL AND q.id IN ", EntriesOf(scopes));
  RETURN_IF_ERROR(sql_.Run(
      absl::StrCat("DELETE FROM ", rows.table, " AS sy_f USING (SELECT r.* FROM (SELECT q.scope",
                   entries, ") AS k CROSS JOIN LATERAL jsonb_populate_record(NULL::", scopes.table,
                   ", k.scope) AS r) AS sy_e WHERE ", rows.same_scope),
      {stream_, target}));
  return sql_.Run(absl::StrCat("INSERT INTO ", rows.table, " SELECT ",
                               absl::StrJoin(rows.values, ", "), " FROM (SELECT q.before", entries,
                               ") AS k CROSS JOIN LATERAL jsonb_populate_recordset(NULL::",
                               rows.table, ", k.before) AS sy_x"),
                  {stream_, target});
}

absl::StatusOr<bool> QuarantineEntries::ForgetScopes(const std::string& target,
                                                     const ScopesSql& scopes) {
  ASSIGN_OR_RETURN(
      const pg::Rows gone,
      sql_.Ask(absl::StrCat("DELETE FROM switchyard.quarantine WHERE id IN ", EntriesOf(scopes)),
               {stream_, target}));
  return gone.affected() > 0;
}

absl::Status QuarantineEntries::Touch(int64_t id, const std::string& table,
                                      const std::vector<std::string>& columns) {
  // The table's own column types take the text back.
  const auto field = [](std::string* out, const std::string& column) {
    absl::StrAppend(out, "(r).", column);
  };
  return sql_.Run(
      absl::StrCat("INSERT INTO ", table, " SELECT ", absl::StrJoin(columns, ", ", field),
                   " FROM (SELECT jsonb_populate_record(NULL::", table,
                   ", scope) AS r FROM switchyard.quarantine WHERE id = $1::bigint) "
                   "AS q"),
      {std::to_string(id)});
}

absl::StatusOr<int64_t> QuarantineEntries::AddPairs(const std::string& pairs,
                                                    const std::string& there, Lsn lsn,
                                                    const pg::ErrorFields& error) {
  const std::string sql = absl::StrReplaceAll(R"(
    INSERT INTO switchyard.quarantine AS q
      (stream, target, scope, operation, image, lsn, sqlstate, error)
    SELECT $1, $2, jsonb_build_object('kind', sy_p.kind, 'old_id', sy_p.old_id), 'insert',
           jsonb_build_object('kind', sy_p.kind, 'old_id', sy_p.old_id, 'new_id',
                              sy_p.new_id::text, 'main', sy_p.main::text, 'by', sy_p.by),
           $3::pg_lsn, $4, $5
    FROM {pairs} AS sy_p WHERE NOT {there}
    ON CONFLICT (stream, target, jsonb_hash_extended(scope, 0), jsonb_hash_extended(scope, 1),
                 (operation = 'delete')) DO UPDATE SET
      image = excluded.image, lsn = excluded.lsn, events = q.events + 1,
      last_seen = clock_timestamp())",
                                              {{"{pairs}", pairs}, {"{there}", there}});
  ASSIGN_OR_RETURN(const pg::Rows added, sql_.Ask(sql, {stream_, kIdMapTarget, lsn.ToString(),
                                                        error.sqlstate, error.primary}));
  return added.affected();
}

absl::Status QuarantineEntries::ForgetPairs(const std::string& there) {
  return sql_.Run(
      "DELETE FROM switchyard.quarantine WHERE stream = $1 AND target = $2 AND " + there,
      {stream_, kIdMapTarget});
}

absl::Status QuarantineEntries::Forget(int64_t id) {
  return sql_
      .AskPrepared("DELETE FROM switchyard.quarantine WHERE id = $1::bigint", {std::to_string(id)})
      .status();
}

absl::Status QuarantineEntries::ForgetTarget(const std::string& target) {
  return sql_.Run("DELETE FROM switchyard.quarantine WHERE stream = $1 AND target = $2",
                  {stream_, target});
}

absl::Status QuarantineEntries::ForgetRowsOf(const std::string& target) {
  return sql_.Run(
      "DELETE FROM switchyard.quarantine WHERE stream = $1 AND target = $2 AND "
      "operation <> 'recompute'",
      {stream_, target});
}

absl::Status QuarantineEntries::ForgetAll() {
  return sql_.Run("DELETE FROM switchyard.quarantine WHERE stream = $1", {stream_});
}

}  // namespace switchyard::records
