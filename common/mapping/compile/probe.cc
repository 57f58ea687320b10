#include "common/mapping/compile/probe.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/records/id_map.h"
#include "common/records/target_sql.h"

namespace switchyard::mapping {
namespace {

std::string InTemp(const std::string& sql) { return catalog::WithSchema(sql, "pg_temp"); }

// The SQL given is at fault, unless the server has troubles of its own.
absl::Status SaidAgainstIt(const absl::Status& status, int shift) {
  pg::ErrorFields fields = pg::StatusErrorFields(status);
  const bool own = !absl::IsInvalidArgument(status) && !absl::IsFailedPrecondition(status);
  if (fields.sqlstate.empty() || own) return status;
  int position = 0;
  if (absl::SimpleAtoi(fields.position, &position)) {
    fields.position = position > shift ? std::to_string(position - shift) : "";
  }
  std::string said = fields.primary;
  if (fields.sqlstate == "42501") {  // insufficient privilege
    said +=
        " (on NEW, to the role that checks and replays: grant it USAGE on the schema, EXECUTE on "
        "the "
        "function, or what `switchyard check FILE --print-setup-new` prints)";
  }
  return pg::WithErrorFields(absl::InvalidArgumentError(Sv(said)), fields);
}

// Stand-ins in one transaction; a statement that names more of them has them all.
constexpr size_t kTablesAtOnce = 100;

constexpr size_t kNameBytesMax = 63;

constexpr char kOpenSavepoint[] = "SAVEPOINT sy_probe";
constexpr char kUndo[] = "ROLLBACK TO SAVEPOINT sy_probe";
constexpr char kKeepAndReopen[] = "RELEASE SAVEPOINT sy_probe; SAVEPOINT sy_probe";

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool IsWord(std::string_view name) { return std::ranges::all_of(name, IsWordByte); }

// What stands in a statement between bytes that are of no word, as written and in lower case; and
// as Postgres cuts it.
std::set<std::string> WordsOf(std::string_view sql) {
  std::set<std::string> words;
  for (size_t begin = 0; begin < sql.size();) {
    size_t end = begin;
    while (end < sql.size() && IsWordByte(sql[end])) ++end;
    if (end > begin) {
      const std::string word(CutUtf8(sql.substr(begin, end - begin), kNameBytesMax));
      words.insert(absl::AsciiStrToLower(word));
      words.insert(word);
    }
    begin = end + 1;
  }
  return words;
}

constexpr std::string_view kMakeView = "CREATE TEMP VIEW sy_probe_view AS ";
constexpr std::string_view kExplain = "EXPLAIN ";

}  // namespace

Probe::~Probe() {
  // As long as it takes: with many tables that is more than Rollback waits for.
  if (types_ != nullptr) session_.Execute("ROLLBACK").IgnoreError();
  session_.Rollback();
}

absl::Status Probe::Begin(const std::vector<catalog::UserType>& types) {
  types_ = &types;
  return BeginTransaction();
}

// One savepoint is open all the time: what is to stay releases it, all else is rolled back to it.
absl::Status Probe::BeginTransaction() {
  RETURN_IF_ERROR(session_.Begin());
  for (const catalog::UserType& type : *types_) {
    RETURN_IF_ERROR(Annotate(session_.Execute(InTemp(type.create_sql)),
                             absl::StrCat("type ", type.schema, ".", type.name)));
  }
  RETURN_IF_ERROR(session_.Execute(kOpenSavepoint));
  return AddOwnTables();
}

absl::Status Probe::AddOwnTables() {
  ASSIGN_OR_RETURN(const pg::Result there, session_.Query(records::HasIdMapSql()));
  if (there.boolean(0, 0)) return absl::OkStatus();
  // Without the right to make them, SQL that uses them is refused; check names the missing right.
  const absl::Status made = Run(records::TargetSetupSql());
  return absl::IsInvalidArgument(made) ? absl::OkStatus() : made;
}

absl::Status Probe::AddTable(const std::string& alias, const catalog::Table& table) {
  std::vector<std::string> columns;
  for (const catalog::Column& column : table.columns) {
    columns.push_back(absl::StrCat(
        QuoteIdentifier(column.name), " ", InTemp(column.mirror_type),
        column.mirror_collation.empty() ? "" : " COLLATE " + InTemp(column.mirror_collation)));
  }
  tables_[alias];
  plain_names_ &= IsWord(alias);
  const absl::Status added =
      AddToTable(alias, absl::StrCat("CREATE TEMP TABLE ", QuoteIdentifier(alias), " (",
                                     absl::StrJoin(columns, ", "), ")"));
  if (!added.ok()) {
    tables_.erase(alias);
    here_.erase(alias);
  }
  return added;
}

absl::Status Probe::AddToTable(const std::string& alias, const std::string& ddl) {
  RETURN_IF_ERROR(Provide(QuoteIdentifier(alias)));
  RETURN_IF_ERROR(Run(ddl));
  tables_[alias].push_back(ddl);
  return absl::OkStatus();
}

std::set<std::string> Probe::Named(const std::string& sql) const {
  std::set<std::string> named;
  for (const std::string& word : WordsOf(sql)) {
    if (tables_.contains(word)) named.insert(word);
  }
  // As in U&"...": a name may be written with escapes then.
  const bool any = absl::StrContains(sql, "&\"");
  for (const auto& [alias, ddl] : tables_) {
    if (!any && plain_names_) break;
    if (any || absl::StrContains(sql, QuoteIdentifier(alias))) named.insert(alias);
  }
  return named;
}

absl::Status Probe::Provide(const std::string& sql) {
  const std::set<std::string> named = Named(sql);
  const auto missing = [&] {
    return std::ranges::any_of(named, [&](const auto& alias) { return !here_.contains(alias); });
  };
  if (!missing()) return absl::OkStatus();
  if (here_.size() + named.size() > kTablesAtOnce) {
    here_.clear();
    RETURN_IF_ERROR(session_.Execute("ROLLBACK"));
    RETURN_IF_ERROR(BeginTransaction());
  }
  std::string ddl;
  for (const std::string& alias : named) {
    if (!here_.insert(alias).second) continue;
    for (const std::string& statement : tables_[alias]) absl::StrAppend(&ddl, statement, ";\n");
  }
  return ddl.empty() ? absl::OkStatus() : Run(ddl);
}

absl::StatusOr<std::string> Probe::UnseenSchemaOf(const std::string& type) {
  const std::string name = type.substr(0, type.find_first_of("[("));
  ASSIGN_OR_RETURN(const pg::Result row, Try("", absl::StrCat(R"(
    SELECT min(s.nspname::text) FROM pg_type t JOIN pg_namespace s ON s.oid = t.typnamespace
    WHERE to_regtype(quote_ident(t.typname)) IS NULL AND t.typname = )",
                                                              QuoteLiteral(name))));
  return row.is_null(0, 0) ? std::string() : row.str(0, 0);
}

absl::Status Probe::Run(const std::string& statement) {
  const absl::Status made = session_.Execute(statement);
  if (!made.ok() && !session_.alive()) return made;
  RETURN_IF_ERROR(session_.Execute(made.ok() ? kKeepAndReopen : kUndo));
  return made.ok() ? made : SaidAgainstIt(made, 0);
}

// Types whose values compare alike across the family, by OID: numbers, texts, times. Casts would
// keep indexes from being used, as would collations that make no difference.
absl::StatusOr<std::map<std::string, std::string>> Probe::ComparedAs(const std::string& select,
                                                                     const std::string& target) {
  static constexpr char kDiffering[] = R"(
    WITH RECURSIVE bases AS (
      SELECT oid AS domain, oid AS base, typtype, typbasetype FROM pg_type
      WHERE oid IN (SELECT atttypid FROM pg_attribute
                    WHERE attrelid IN ('pg_temp.sy_given'::regclass, $1::regclass))
      UNION ALL
      SELECT b.domain, t.oid, t.typtype, t.typbasetype
      FROM bases b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'),
    columns AS (
      SELECT a.attrelid, a.attname, b.base, a.attcollation, coalesce(l.collisdeterministic, true)
             AS deterministic, quote_ident(s.nspname) || '.' || quote_ident(l.collname) AS collation,
             quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS type,
             CASE WHEN b.base IN (20, 21, 23, 26, 700, 701, 1700) THEN 'number'
                  WHEN b.base IN (19, 25, 1043) THEN 'text'
                  WHEN b.base IN (1082, 1114, 1184) THEN 'time' ELSE b.base::text END AS family
      FROM pg_attribute a JOIN bases b ON b.domain = a.atttypid AND b.typtype <> 'd'
      JOIN pg_type t ON t.oid = b.base JOIN pg_namespace n ON n.oid = t.typnamespace
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
      WHERE a.attrelid IN ('pg_temp.sy_given'::regclass, $1::regclass) AND a.attnum > 0
        AND NOT a.attisdropped)
    SELECT g.attname, concat(
      CASE WHEN g.family <> k.family THEN '::' || k.type END,
      CASE WHEN k.attcollation <> g.attcollation AND k.attcollation <> 0
                AND (NOT k.deterministic OR NOT g.deterministic
                     OR (k.attcollation <> 100 AND g.attcollation <> 100))
           THEN ' COLLATE ' || k.collation END)
    FROM columns g JOIN columns k USING (attname)
    WHERE g.attrelid = 'pg_temp.sy_given'::regclass AND k.attrelid = $1::regclass)";
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Try("CREATE TEMP VIEW sy_given AS " + select,
                       absl::StrReplaceAll(kDiffering, {{"$1", QuoteLiteral(target)}})));
  std::map<std::string, std::string> differing;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!rows.text(i, 1).empty()) differing[rows.str(i, 0)] = rows.str(i, 1);
  }
  return differing;
}

absl::StatusOr<std::string> Probe::Explain(const std::vector<std::string>& setup,
                                           const std::string& statement) {
  // Empty tables look small: a plan that reads one once and keeps it would look cheap.
  ASSIGN_OR_RETURN(
      const pg::Result plan,
      Try(absl::StrCat("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
                       "SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;",
                       absl::StrJoin(setup, ";")),
          absl::StrCat("EXPLAIN (FORMAT JSON, VERBOSE) ", statement)));
  return plan.str(0, 0);
}

absl::StatusOr<std::map<std::string, int64_t>> Probe::RowEstimates() {
  ASSIGN_OR_RETURN(const pg::Result rows, Try("", R"(
    SELECT n.nspname || '.' || c.relname, c.reltuples::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND c.reltuples > 0)"));
  std::map<std::string, int64_t> estimates;
  for (int i = 0; i < rows.rows(); ++i) estimates[rows.str(i, 0)] = rows.i64(i, 1);
  return estimates;
}

absl::StatusOr<pg::Result> Probe::Try(const std::string& setup, const std::string& query,
                                      int shift) {
  // By itself a comment that ends the first would go on into the second.
  const std::string both = setup.empty() ? query : absl::StrCat(setup, "\n;\n", query);
  RETURN_IF_ERROR(Provide(both));
  absl::StatusOr<pg::Result> result = session_.Query(both);
  if (!result.ok() && !session_.alive()) return result;
  RETURN_IF_ERROR(session_.Execute(kUndo));
  return result.ok() ? std::move(result) : SaidAgainstIt(result.status(), shift);
}

absl::StatusOr<Probe::Reads> Probe::ReadsOf(const std::string& select) {
  ASSIGN_OR_RETURN(const pg::Result rows, Try(absl::StrCat(Sv(kMakeView), select), R"(
    SELECT DISTINCT c.relname, a.attname
    FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE r.ev_class = 'pg_temp.sy_probe_view'::regclass AND d.refobjsubid > 0
      AND c.relnamespace = pg_my_temp_schema() AND c.oid <> r.ev_class)",
                                              kMakeView.size()));
  Reads reads;
  for (int i = 0; i < rows.rows(); ++i) reads[rows.str(i, 0)].insert(rows.str(i, 1));
  return reads;
}

absl::StatusOr<std::string> Probe::Definition(const std::string& select) {
  // Made under NEW's own path; printed under one that leaves no name of NEW's unqualified.
  ASSIGN_OR_RETURN(
      const pg::Result row,
      Try(absl::StrCat(Sv(kMakeView), select, "\n; SET LOCAL search_path = pg_catalog"),
          "SELECT pg_get_viewdef('pg_temp.sy_probe_view'::regclass)", kMakeView.size()));
  return row.str(0, 0);
}

absl::StatusOr<std::map<std::string, Probe::Called>> Probe::FunctionsNamed(
    const std::set<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(QuoteLiteral(name));
  std::map<std::string, Called> functions;
  if (quoted.empty()) return functions;
  ASSIGN_OR_RETURN(const pg::Result rows, Try("", absl::StrCat(R"(
    SELECT proname, bool_or(prokind = 'a'), bool_or(proretset), bool_and(proisstrict),
           CASE WHEN count(DISTINCT prorettype) = 1 THEN format_type(min(prorettype), NULL) END
    FROM pg_proc WHERE proname IN ()",
                                                               absl::StrJoin(quoted, ", "),
                                                               ") GROUP BY proname ORDER BY 1")));
  for (int i = 0; i < rows.rows(); ++i) {
    functions[rows.str(i, 0)] = {.aggregate = rows.boolean(i, 1),
                                 .returns_set = rows.boolean(i, 2),
                                 .strict = rows.boolean(i, 3),
                                 .result = rows.str(i, 4)};
  }
  return functions;
}

absl::StatusOr<std::set<std::string>> Probe::StrictOperators() {
  ASSIGN_OR_RETURN(const pg::Result rows, Try("", R"(
    SELECT o.oprname FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace
    GROUP BY o.oprname HAVING bool_and(p.proisstrict) ORDER BY 1)"));
  std::set<std::string> operators;
  for (int i = 0; i < rows.rows(); ++i) operators.insert(rows.str(i, 0));
  return operators;
}

absl::StatusOr<std::vector<Probe::ReadColumn>> Probe::ColumnsOfTable(const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Try("", absl::StrCat(R"(
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           coalesce(l.collisdeterministic, true), coalesce(a.attnum = ANY (i.indkey), false)
    FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = )",
                                        QuoteLiteral(table), R"(::regclass AND a.attnum > 0
      AND NOT a.attisdropped ORDER BY a.attnum)")));
  std::vector<ReadColumn> columns;
  for (int i = 0; i < rows.rows(); ++i) {
    columns.push_back({.name = rows.str(i, 0),
                       .type = rows.str(i, 1),
                       .not_null = rows.boolean(i, 2),
                       .deterministic = rows.boolean(i, 3),
                       .in_key = rows.boolean(i, 4)});
  }
  return columns;
}

absl::StatusOr<std::vector<std::string>> Probe::ColumnsOf(const std::string& select) {
  ASSIGN_OR_RETURN(const pg::Result rows, Try(absl::StrCat(Sv(kMakeView), select), R"(
    SELECT attname FROM pg_attribute
    WHERE attrelid = 'pg_temp.sy_probe_view'::regclass AND attnum > 0 ORDER BY attnum)",
                                              kMakeView.size()));
  std::vector<std::string> columns;
  for (int i = 0; i < rows.rows(); ++i) columns.push_back(rows.str(i, 0));
  return columns;
}

absl::Status Probe::Plans(const std::string& statement) {
  return Try("", absl::StrCat(Sv(kExplain), statement), kExplain.size()).status();
}

absl::StatusOr<pg::Result> Probe::Shape(const std::string& select) {
  return Try("", absl::StrCat("SELECT * FROM (", select, "\n) AS sy_q LIMIT 0"));
}

absl::StatusOr<std::string> Probe::TypeName(uint32_t oid, int32_t modifier) {
  ASSIGN_OR_RETURN(const pg::Result name,
                   Try("", absl::StrCat("SELECT format_type(", oid, ", ", modifier, ")")));
  return name.str(0, 0);
}

bool Probe::CanIndex(const std::string& alias, const std::string& expression) {
  return Try(absl::StrCat("CREATE INDEX ON pg_temp.", QuoteIdentifier(alias), " ((", expression,
                          "))"),
             "SELECT")
      .ok();
}

// Told from the view's own parse tree: pg_depend leaves out what Postgres itself brings.
absl::StatusOr<Probe::Resolved> Probe::Resolve(const std::string& select) {
  ASSIGN_OR_RETURN(const pg::Result rows, Try(absl::StrCat(Sv(kMakeView), select), R"(
    WITH tree AS (SELECT ev_action::text AS sql FROM pg_rewrite
                  WHERE ev_class = 'pg_temp.sy_probe_view'::regclass),
    called AS (
      SELECT DISTINCT m[1]::oid AS oid FROM tree,
        regexp_matches(sql, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m)
    SELECT 'f', n.nspname::text, p.proname::text, p.provolatile::text,
           p.prokind IN ('a', 'w') OR p.proretset
    FROM called c JOIN pg_proc p ON p.oid = c.oid JOIN pg_namespace n ON n.oid = p.pronamespace
    UNION ALL
    SELECT DISTINCT 'c', '', a.attname::text, 'v', false FROM tree,
      regexp_matches(sql, ':varattno (-\d+)', 'g') AS m
      JOIN pg_attribute a ON a.attrelid = 'pg_class'::regclass AND a.attnum = m[1]::int
    UNION ALL
    SELECT DISTINCT 'r', '', c.relname::text, 'v', false FROM tree,
      regexp_matches(sql, ':varattno 0 :vartype (\d+)', 'g') AS m
      JOIN pg_class c ON c.reltype = m[1]::oid AND c.relnamespace = pg_my_temp_schema()
    UNION ALL
    SELECT 's', '', '', 'v', false FROM tree WHERE sql ~ '\{TABLESAMPLECLAUSE')",
                                              kMakeView.size()));
  Resolved resolved;
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.str(i, 0) == "s") {
      resolved.samples = true;
    } else if (rows.str(i, 0) == "c") {
      resolved.system_columns.push_back(rows.str(i, 2));
    } else if (rows.str(i, 0) == "r") {
      resolved.whole_rows.push_back(rows.str(i, 2));
    } else {
      resolved.functions.push_back({.schema = rows.str(i, 1),
                                    .name = rows.str(i, 2),
                                    .volatility = rows.str(i, 3)[0],
                                    .many_rows = rows.boolean(i, 4)});
    }
  }
  return resolved;
}

absl::StatusOr<std::vector<std::string>> Probe::Names(const std::string& query) {
  ASSIGN_OR_RETURN(const pg::Result rows, Try("", query));
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.str(i, 0));
  return names;
}

absl::StatusOr<std::vector<std::string>> Probe::FunctionNames() {
  return Names("SELECT DISTINCT proname FROM pg_proc WHERE pg_function_is_visible(oid)");
}

absl::StatusOr<std::vector<std::string>> Probe::TableNames() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, Names(R"(
    SELECT n.nspname || '.' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
      AND n.nspname !~ '^(pg_|information_schema$|switchyard)'
    ORDER BY 1 LIMIT 10000)"));
  for (const auto& [alias, ddl] : tables_) names.push_back(alias);
  return names;
}

}  // namespace switchyard::mapping
