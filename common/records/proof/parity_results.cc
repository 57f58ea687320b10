#include "common/records/proof/parity_results.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/records/shown_values.h"

namespace switchyard::records {
namespace {

// Microseconds since 1970.
std::string Micros(std::string_view column) {
  return absl::StrCat("(extract(epoch FROM ", Sv(column), ") * 1000000)::bigint");
}

std::string Number(int64_t value) { return std::to_string(value); }

// In a target that an older program set up there are none.
constexpr char kThere[] = "SELECT to_regclass('switchyard.parity_difference') IS NOT NULL";

}  // namespace

std::string ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kClean:
      return "clean";
    case Verdict::kDifferent:
      return "different";
    case Verdict::kInconclusive:
      return "inconclusive";
  }
  return "";
}

absl::StatusOr<Verdict> ParseVerdict(std::string_view text) {
  for (const Verdict verdict : {Verdict::kClean, Verdict::kDifferent, Verdict::kInconclusive}) {
    if (text == ToString(verdict)) return verdict;
  }
  return absl::InternalError(absl::StrCat("\"", Sv(text), "\" is no verdict"));
}

absl::StatusOr<int64_t> ParityResults::Begin(const std::string& fingerprint, int64_t tables,
                                             absl::Duration patience) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("INSERT INTO switchyard.parity_pass AS p (stream, pass, fingerprint, tables) "
               "VALUES ($1, 1, $2, $4::int) ON CONFLICT (stream) DO UPDATE SET "
               "(pass, begun_at, fingerprint, tables, finished_at, verdict, reason) = "
               "(SELECT CASE WHEN go_on THEN p.pass ELSE p.pass + 1 END, "
               "CASE WHEN go_on THEN p.begun_at ELSE clock_timestamp() END, $2, $4::int, "
               "NULL::timestamptz, '', '' "
               "FROM (SELECT p.finished_at IS NULL AND p.fingerprint = $2 AND "
               "p.begun_at > clock_timestamp() - $3::interval AS go_on) AS known) "
               "RETURNING pass",
               {stream_, fingerprint, absl::StrCat(absl::ToInt64Seconds(patience), " s"),
                Number(tables)}));
  return row.i64(0, 0);
}

absl::Status ParityResults::End(int64_t pass, Verdict verdict, const std::string& reason) {
  return sql_.Run(
      "UPDATE switchyard.parity_pass SET finished_at = clock_timestamp(), verdict = $3, "
      "reason = $4 WHERE stream = $1 AND pass = $2::bigint",
      {stream_, Number(pass), ToString(verdict), reason});
}

absl::StatusOr<std::optional<ParityPass>> ParityResults::LastPass() {
  ASSIGN_OR_RETURN(const pg::Rows there, sql_.Ask(kThere));
  if (!there.boolean(0, 0)) return std::nullopt;
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask(absl::StrCat("SELECT pass, fingerprint, ", Micros("begun_at"), ", ",
                                         Micros("finished_at"),
                                         ", verdict, reason FROM switchyard.parity_pass "
                                         "WHERE stream = $1"),
                            {stream_}));
  if (row.rows() == 0) return std::nullopt;
  ParityPass pass{.pass = row.i64(0, 0),
                  .fingerprint = row.str(0, 1),
                  .begun = absl::FromUnixMicros(row.i64(0, 2)),
                  .reason = row.str(0, 5)};
  if (row.is_null(0, 3)) return pass;
  pass.finished = absl::FromUnixMicros(row.i64(0, 3));
  ASSIGN_OR_RETURN(pass.verdict, ParseVerdict(row.text(0, 4)));
  return pass;
}

absl::Status ParityResults::Forget(const ParityTable& result) {
  RETURN_IF_ERROR(
      sql_.Run("DELETE FROM switchyard.parity_difference WHERE stream = $1 AND table_name = $2 AND "
               "owns = $3",
               {stream_, result.table, result.owns}));
  return sql_.Run(
      "DELETE FROM switchyard.parity_table WHERE stream = $1 AND table_name = $2 AND owns = $3",
      {stream_, result.table, result.owns});
}

absl::Status ParityResults::Add(const ParityTable& result) {
  return sql_.Run(
      "INSERT INTO switchyard.parity_table (stream, table_name, owns, pass, fingerprint, sources, "
      "lsn, verdict, reason, rows, missing, different, extra) VALUES ($1, $2, $3, $4::bigint, $5, "
      "$6::text[], $7::pg_lsn, $8, $9, $10::bigint, $11::bigint, $12::bigint, $13::bigint)",
      {stream_, result.table, result.owns, Number(result.pass), result.fingerprint,
       ArrayLiteral(result.sources), result.lsn.ToString(), ToString(result.verdict), result.reason,
       Number(result.rows), Number(result.missing), Number(result.different),
       Number(result.extra)});
}

absl::Status ParityResults::AddDifferences(const ParityTable& result,
                                           const std::vector<ParityDifference>& differences) {
  if (differences.empty()) return absl::OkStatus();
  // NULL has no place in ArrayLiteral; JSON has one of its own.
  constexpr char kNothing[] = "null";
  std::vector<std::string> kinds;
  std::vector<std::string> keys;
  std::vector<std::string> expected;
  std::vector<std::string> actual;
  for (const ParityDifference& difference : differences) {
    kinds.push_back(difference.kind);
    keys.push_back(difference.key);
    expected.push_back(difference.expected.value_or(kNothing));
    actual.push_back(difference.actual.value_or(kNothing));
  }
  return sql_.Run(
      "INSERT INTO switchyard.parity_difference (stream, table_name, owns, kind, key, expected, "
      "actual) SELECT $1, $2, $3, kind, key::jsonb, nullif(expected::jsonb, 'null'), "
      "nullif(actual::jsonb, 'null') FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) "
      "AS d (kind, key, expected, actual)",
      {stream_, result.table, result.owns, ArrayLiteral(kinds), ArrayLiteral(keys),
       ArrayLiteral(expected), ArrayLiteral(actual)});
}

absl::Status ParityResults::ForgetAll() {
  for (const char* table :
       {"switchyard.parity_difference", "switchyard.parity_table", "switchyard.parity_pass"}) {
    RETURN_IF_ERROR(sql_.Run(absl::StrCat("DELETE FROM ", table, " WHERE stream = $1"), {stream_}));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ParityTable>> ParityResults::Tables() {
  std::vector<ParityTable> tables;
  ASSIGN_OR_RETURN(const pg::Rows there, sql_.Ask(kThere));
  if (!there.boolean(0, 0)) return tables;
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask(absl::StrCat("SELECT table_name, owns, pass, fingerprint, "
                            "array_to_string(sources, E'\\n'), lsn, verdict, reason, rows, "
                            "missing, different, extra, ",
                            Micros("compared_at"),
                            " FROM switchyard.parity_table WHERE stream = $1 ORDER BY 1, 2"),
               {stream_}));
  for (int i = 0; i < rows.rows(); ++i) {
    ParityTable& table = tables.emplace_back();
    table.table = rows.str(i, 0);
    table.owns = rows.str(i, 1);
    table.pass = rows.i64(i, 2);
    table.fingerprint = rows.str(i, 3);
    table.sources = absl::StrSplit(Sv(rows.text(i, 4)), '\n', absl::SkipEmpty());
    ASSIGN_OR_RETURN(table.lsn, Lsn::Parse(rows.text(i, 5)));
    ASSIGN_OR_RETURN(table.verdict, ParseVerdict(rows.text(i, 6)));
    table.reason = rows.str(i, 7);
    table.rows = rows.i64(i, 8);
    table.missing = rows.i64(i, 9);
    table.different = rows.i64(i, 10);
    table.extra = rows.i64(i, 11);
    table.compared = absl::FromUnixMicros(rows.i64(i, 12));
  }
  return tables;
}

absl::StatusOr<std::vector<ParityDifference>> ParityResults::Differences(
    const std::string& table, int64_t limit, const std::vector<std::string>& sensitive) {
  const auto shown = [](std::string_view column) {
    return ShownValuesSql(column, "table_name", "$4::text[]");
  };
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask(absl::StrCat("SELECT kind, ", shown("key"), ", ", shown("expected"), ", ",
                            shown("actual"),
                            " FROM switchyard.parity_difference WHERE stream = $1 AND table_name = "
                            "$2 ORDER BY id LIMIT $3::bigint"),
               {stream_, table, Number(limit), ArrayLiteral(sensitive)}));
  std::vector<ParityDifference> differences;
  for (int i = 0; i < rows.rows(); ++i) {
    ParityDifference& one = differences.emplace_back();
    one.table = table;
    one.kind = rows.str(i, 0);
    one.key = rows.str(i, 1);
    if (!rows.is_null(i, 2)) one.expected = rows.str(i, 2);
    if (!rows.is_null(i, 3)) one.actual = rows.str(i, 3);
  }
  return differences;
}

absl::StatusOr<bool> ParityResults::IsCleanSince(const std::string& source, Lsn seen) {
  ASSIGN_OR_RETURN(const pg::Rows there, sql_.Ask(kThere));
  if (!there.boolean(0, 0)) return false;
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT coalesce(bool_and(t.verdict = 'clean' AND t.lsn >= $3::pg_lsn) "
                            "FILTER (WHERE $2 = ANY(t.sources)), false) AND "
                            "count(*) = max(p.tables) "
                            "FROM switchyard.parity_pass p JOIN switchyard.parity_table t "
                            "ON t.stream = p.stream AND t.fingerprint = p.fingerprint "
                            "WHERE p.stream = $1",
                            {stream_, source, seen.ToString()}));
  return !row.is_null(0, 0) && row.boolean(0, 0);
}

}  // namespace switchyard::records
