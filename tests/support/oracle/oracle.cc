#include "tests/support/oracle/oracle.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "tests/support/oracle/oracle_scratch.h"

namespace switchyard::testing {
namespace {

using Columns = std::vector<std::pair<std::string, std::string>>;  // NEW's column, its SQL

std::string Quoted(const spec::TableName& table) {
  return QuoteQualified(table.schema, table.name);
}

absl::StatusOr<std::vector<std::string>> Names(pg::Session& session, const std::string& sql,
                                               const std::string& parameter) {
  ASSIGN_OR_RETURN(pg::Result result, session.Query(sql, {parameter}));
  std::vector<std::string> names;
  for (int row = 0; row < result.rows(); ++row) names.push_back(result.str(row, 0));
  return names;
}

// Columns that may be written.
absl::StatusOr<std::vector<std::string>> ColumnsOf(pg::Session& session, const std::string& table) {
  return Names(session,
               "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND "
               "NOT attisdropped AND attgenerated = '' ORDER BY attnum",
               table);
}

// A `copy` mapping: columns of the same name, but for what set, rename and drop say.
absl::StatusOr<Columns> CopyColumns(pg::Session& session, const spec::Mapping& mapping) {
  ASSIGN_OR_RETURN(std::vector<std::string> target, ColumnsOf(session, Quoted(mapping.target)));
  ASSIGN_OR_RETURN(std::vector<std::string> source,
                   Names(session,
                         "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND "
                         "attnum > 0 AND NOT attisdropped ORDER BY attnum",
                         QuoteIdentifier(mapping.copy->name)));
  Columns columns;
  for (const std::string& column : source) {
    if (std::count(mapping.drop.begin(), mapping.drop.end(), column) > 0) continue;
    std::string name = column;
    for (const auto& [from, to] : mapping.rename) {
      if (from == column) name = to;
    }
    const bool is_set = std::any_of(mapping.set.begin(), mapping.set.end(),
                                    [&](const auto& set) { return set.first == name; });
    const bool exists = std::count(target.begin(), target.end(), name) > 0;
    if (exists && !is_set) columns.emplace_back(name, QuoteIdentifier(column));
  }
  for (const auto& set : mapping.set) columns.push_back(set);
  return columns;
}

absl::StatusOr<Columns> SelectColumns(pg::Session& session, const spec::Mapping& mapping) {
  RETURN_IF_ERROR(session.Execute("CREATE TEMP VIEW oracle_select AS " + mapping.select));
  ASSIGN_OR_RETURN(std::vector<std::string> names, ColumnsOf(session, "pg_temp.oracle_select"));
  RETURN_IF_ERROR(session.Execute("DROP VIEW pg_temp.oracle_select"));
  Columns columns;
  for (std::string& name : names) columns.emplace_back(name, QuoteIdentifier(name));
  return columns;
}

std::string JoinNames(const Columns& columns) {
  return absl::StrJoin(columns, ", ", [](std::string* out, const auto& column) {
    *out += QuoteIdentifier(column.first);
  });
}

// The query whose rows, in the order of `columns`, the table must hold.
std::string SourceQuery(const spec::Mapping& mapping, const Columns& columns) {
  const std::string values = absl::StrJoin(columns, ", ", [](std::string* out, const auto& column) {
    absl::StrAppend(out, "(", column.second, ")");
  });
  if (!mapping.copy.has_value()) {
    return absl::StrCat("SELECT ", values, " FROM (", mapping.select, "\n) mapping");
  }
  const std::string table = QuoteIdentifier(mapping.copy->name);
  return absl::StrCat("SELECT ", values, " FROM ", table,
                      mapping.where.empty() ? "" : " WHERE " + mapping.where);
}

// Mappings in an order in which each comes after those whose tables it reads.
absl::StatusOr<std::vector<const spec::Mapping*>> InOrder(const spec::Direction& direction) {
  std::vector<const spec::Mapping*> waiting;
  for (const spec::Mapping& mapping : direction.mappings) waiting.push_back(&mapping);
  std::vector<const spec::Mapping*> ordered;
  while (!waiting.empty()) {
    std::set<spec::TableName> unfilled;
    for (const spec::Mapping* mapping : waiting) unfilled.insert(mapping->target);
    const auto blocked = [&](const spec::Mapping* mapping) {
      return std::any_of(mapping->from.begin(), mapping->from.end(),
                         [&](const spec::FromRule& rule) { return unfilled.contains(rule.table); });
    };
    const auto first_ready = std::stable_partition(waiting.begin(), waiting.end(), blocked);
    if (first_ready == waiting.end()) {
      return absl::InvalidArgumentError("oracle: the mappings read each other in a circle");
    }
    ordered.insert(ordered.end(), first_ready, waiting.end());
    waiting.erase(first_ready, waiting.end());
  }
  return ordered;
}

bool IsRead(const spec::Direction& direction, const spec::TableName& table) {
  for (const spec::Mapping& mapping : direction.mappings) {
    for (const spec::FromRule& rule : mapping.from) {
      if (rule.table == table) return true;
    }
  }
  return false;
}

absl::StatusOr<Columns> Fill(pg::Session& session, const spec::Mapping& mapping) {
  ASSIGN_OR_RETURN(Columns columns, mapping.copy.has_value() ? CopyColumns(session, mapping)
                                                             : SelectColumns(session, mapping));
  RETURN_IF_ERROR(
      session.Execute(absl::StrCat("INSERT INTO ", Quoted(mapping.target), " (", JoinNames(columns),
                                   ") OVERRIDING SYSTEM VALUE ", SourceQuery(mapping, columns))));
  return columns;
}

// Up to `max` of the rows whose count differs one way.
absl::Status AddExamples(pg::Session& session, const std::string& kind, const std::string& where,
                         int max, TableComparison* out) {
  ASSIGN_OR_RETURN(
      pg::Result rows,
      session.Query(absl::StrFormat(
          "SELECT line FROM oracle_difference WHERE %s ORDER BY line LIMIT %d", where, max)));
  for (int row = 0; row < rows.rows(); ++row) {
    out->examples.push_back(absl::StrCat(kind, ": ", rows.str(row, 0)));
  }
  return absl::OkStatus();
}

absl::StatusOr<TableComparison> Compare(OracleScratch& scratch, const spec::Mapping& mapping,
                                        const Columns& columns, int examples_max) {
  pg::Session& session = scratch.session();
  const std::string owned = mapping.owns.empty() ? "" : " WHERE " + mapping.owns;
  // A row's own text form: every column by its output function, NULL apart from ''.
  const std::string lines = absl::StrCat("SELECT q::text AS line FROM (SELECT ", JoinNames(columns),
                                         " FROM ", Quoted(mapping.target), owned, ") q");
  RETURN_IF_ERROR(
      session.Execute("DROP TABLE IF EXISTS oracle_actual, oracle_difference;"
                      "CREATE TEMP TABLE oracle_actual (line text)"));
  RETURN_IF_ERROR(session.BeginCopyIn("COPY oracle_actual FROM STDIN"));
  RETURN_IF_ERROR(
      scratch.new_db().CopyOut("COPY (" + lines + ") TO STDOUT",
                               [&](std::string_view line) { return session.PutCopyData(line); }));
  TableComparison out{.table = mapping.target.ToString()};
  ASSIGN_OR_RETURN(out.rows_in_new, session.EndCopyIn());
  // How often each row stands on each side: EXCEPT ALL both ways in one pass.
  RETURN_IF_ERROR(session.Execute(absl::StrCat(
      "CREATE TEMP TABLE oracle_difference AS SELECT line, sum(side) AS surplus FROM (",
      "SELECT line, 1 AS side FROM (", lines,
      ") e UNION ALL SELECT line, -1 FROM oracle_actual) b GROUP BY line HAVING sum(side) <> 0")));
  ASSIGN_OR_RETURN(
      pg::Result counts,
      session.Query(
          "SELECT coalesce(sum(surplus) FILTER (WHERE surplus > 0), 0), "
          "coalesce(-sum(surplus) FILTER (WHERE surplus < 0), 0) FROM oracle_difference"));
  out.missing = counts.i64(0, 0);
  out.extra = counts.i64(0, 1);
  out.rows_expected = out.rows_in_new + out.missing - out.extra;
  RETURN_IF_ERROR(AddExamples(session, "missing", "surplus > 0", examples_max, &out));
  RETURN_IF_ERROR(AddExamples(session, "extra", "surplus < 0", examples_max, &out));
  return out;
}

// Every row of OLD has its pair, and no id was given twice where that is not declared. Which id is
// the program's choice; pairs of rows that are gone stay.
absl::StatusOr<TableComparison> CompareIds(pg::Session& session, const spec::IdMapRule& rule,
                                           int examples_max) {
  RETURN_IF_ERROR(session.Execute(absl::StrFormat(
      "DROP TABLE IF EXISTS oracle_difference; CREATE TEMP TABLE oracle_difference AS "
      "SELECT old_id AS line, 1 AS surplus FROM "
      "(SELECT DISTINCT (%s)::text AS old_id FROM %s) wanted WHERE old_id IS NOT NULL AND NOT "
      "EXISTS (SELECT FROM switchyard.id_map m WHERE m.kind = %s AND m.old_id = wanted.old_id) "
      "UNION ALL SELECT old_id || ' ' || new_id, -1 FROM switchyard.id_map m WHERE kind = %s AND "
      "EXISTS (SELECT FROM switchyard.id_map n WHERE n.kind = m.kind AND n.new_id = m.new_id AND "
      "n.old_id < m.old_id) AND NOT %s",
      rule.old_id, QuoteIdentifier(rule.table.name), QuoteLiteral(rule.kind),
      QuoteLiteral(rule.kind), rule.many ? "true" : "false")));
  ASSIGN_OR_RETURN(
      const pg::Result counts,
      session.Query("SELECT (SELECT count(*) FROM switchyard.id_map WHERE kind = $1), "
                    "count(*) FILTER (WHERE surplus > 0), count(*) FILTER (WHERE surplus < 0) "
                    "FROM oracle_difference",
                    {rule.kind}));
  TableComparison out{.table = "ids of " + rule.kind,
                      .rows_in_new = counts.i64(0, 0),
                      .missing = counts.i64(0, 1),
                      .extra = counts.i64(0, 2)};
  out.rows_expected = out.rows_in_new + out.missing - out.extra;
  RETURN_IF_ERROR(AddExamples(session, "missing", "surplus > 0", examples_max, &out));
  RETURN_IF_ERROR(AddExamples(session, "extra", "surplus < 0", examples_max, &out));
  return out;
}

}  // namespace

std::string TableComparison::ToString() const {
  std::string text =
      absl::StrFormat("%s  %d rows in NEW, %d expected, %d missing, %d extra: %s", table,
                      rows_in_new, rows_expected, missing, extra, equal() ? "OK" : "DIFFERENT");
  for (const std::string& example : examples) absl::StrAppend(&text, "\n  ", example);
  return text;
}

absl::StatusOr<std::vector<TableComparison>> CompareWithMapping(const OracleOptions& options,
                                                                const Cancel& cancel) {
  ASSIGN_OR_RETURN(std::unique_ptr<OracleScratch> scratch, OracleScratch::Make(options, cancel));
  ASSIGN_OR_RETURN(std::vector<const spec::Mapping*> order, InOrder(options.file.forward));
  pg::Session& session = scratch->session();
  RETURN_IF_ERROR(session.Execute("SET search_path = " + scratch->search_path()));
  std::map<const spec::Mapping*, Columns> columns;
  for (const spec::Mapping* mapping : order) {
    absl::StatusOr<Columns> filled = Fill(session, *mapping);
    if (!filled.ok()) {
      return Annotate(filled.status(), "oracle: filling " + mapping->target.ToString());
    }
    columns[mapping] = *std::move(filled);
    if (IsRead(options.file.forward, mapping->target)) {
      RETURN_IF_ERROR(session.Execute("ANALYZE " + Quoted(mapping->target)));
    }
  }
  std::vector<TableComparison> results;
  for (const spec::Mapping& mapping : options.file.forward.mappings) {
    ASSIGN_OR_RETURN(TableComparison result,
                     Compare(*scratch, mapping, columns[&mapping], options.examples_max));
    results.push_back(std::move(result));
  }
  for (const spec::IdMapRule& rule : options.file.forward.id_maps) {
    ASSIGN_OR_RETURN(TableComparison result, CompareIds(session, rule, options.examples_max));
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace switchyard::testing
