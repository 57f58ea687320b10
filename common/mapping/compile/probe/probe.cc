#include "common/mapping/compile/probe/probe.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/own_code.h"
#include "common/records/id_map.h"
#include "common/records/target_sql.h"

namespace switchyard::mapping {
namespace {

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

constexpr char kOpenSavepoint[] = "SAVEPOINT sy_probe";
constexpr char kUndo[] = "ROLLBACK TO SAVEPOINT sy_probe";
constexpr char kKeepAndReopen[] = "RELEASE SAVEPOINT sy_probe; SAVEPOINT sy_probe";

constexpr std::string_view kMakeView = "CREATE TEMP VIEW sy_probe_view AS ";
constexpr std::string_view kExplain = "EXPLAIN ";

}  // namespace

Probe::~Probe() {
  // As long as it takes: with many tables that is more than Rollback waits for.
  if (types_ != nullptr) session_.Execute("ROLLBACK").IgnoreError();
  session_.Rollback();
}

absl::Status Probe::Begin(const std::vector<catalog::UserType>& types, const std::string& of_types,
                          const std::string& of_sql) {
  types_ = &types;
  types_path_ = "SET LOCAL search_path = " + of_types;
  their_path_ = "SET LOCAL search_path = " + of_sql;
  return BeginTransaction();
}

// One savepoint is open all the time: what is to stay releases it, all else is rolled back to it,
// search_path included.
absl::Status Probe::BeginTransaction() {
  RETURN_IF_ERROR(session_.Begin());
  RETURN_IF_ERROR(session_.Execute(types_path_));
  for (const catalog::UserType& type : *types_) {
    RETURN_IF_ERROR(Annotate(session_.Execute(catalog::WithSchema(type.create_sql, "pg_temp")),
                             absl::StrCat("type ", type.schema, ".", type.name)));
  }
  RETURN_IF_ERROR(session_.Execute(absl::StrCat(kOurPath, "; ", kOpenSavepoint)));
  return AddOwnTables();
}

absl::Status Probe::AddOwnTables() {
  ASSIGN_OR_RETURN(const pg::Result there, session_.Query(records::HasIdMapSql()));
  if (there.boolean(0, 0)) return absl::OkStatus();
  // Without the right to make them, SQL that uses them is refused; check names the missing right.
  const absl::Status made = RunIn(kOurPath, records::TargetSetupSql());
  return absl::IsInvalidArgument(made) ? absl::OkStatus() : made;
}

absl::StatusOr<std::string> Probe::UnseenSchemaOf(const std::string& type) {
  const std::string name = type.substr(0, type.find_first_of("[("));
  ASSIGN_OR_RETURN(const pg::Result row, Try("",
                                             absl::StrCat(R"(
    SELECT pg_catalog.min(s.nspname::pg_catalog.text) FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) t.typnamespace
    WHERE NOT pg_catalog.pg_type_is_visible(t.oid) AND t.typname OPERATOR(pg_catalog.=) )",
                                                          QuoteLiteral(name), "::pg_catalog.name"),
                                             Query::kTheirs));
  return row.is_null(0, 0) ? std::string() : row.str(0, 0);
}

absl::Status Probe::RunIn(const std::string& path, const std::string& statement) {
  RETURN_IF_ERROR(session_.Execute(path));
  const absl::Status made = session_.Execute(statement);
  if (!made.ok() && !session_.alive()) return made;
  RETURN_IF_ERROR(
      session_.Execute(made.ok() ? absl::StrCat(kOurPath, "; ", kKeepAndReopen) : kUndo));
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
    WHERE g.attrelid = 'pg_temp.sy_given'::regclass AND k.attrelid = $1::regclass
    ORDER BY 1)";
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
          absl::StrCat("EXPLAIN (FORMAT JSON, VERBOSE) ", statement), Query::kTheirs));
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
                                      Query whose, int shift) {
  // By itself a comment that ends the first would go on into the second.
  const bool theirs = whose == Query::kTheirs;
  const std::string both = setup.empty() ? query
                                         : absl::StrCat(setup, "\n;\n", theirs ? "" : kOurPath,
                                                        theirs ? "" : ";\n", query);
  RETURN_IF_ERROR(Provide(both));
  if (theirs || !setup.empty()) RETURN_IF_ERROR(session_.Execute(their_path_));
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
      AND c.relnamespace = pg_my_temp_schema() AND c.oid <> r.ev_class
    ORDER BY 1, 2)",
                                              Query::kOurs, kMakeView.size()));
  Reads reads;
  for (int i = 0; i < rows.rows(); ++i) reads[rows.str(i, 0)].insert(rows.str(i, 1));
  return reads;
}

absl::StatusOr<std::string> Probe::Definition(const std::string& select) {
  // Printed under a path that leaves no name of NEW's unqualified.
  ASSIGN_OR_RETURN(const pg::Result row,
                   Try(absl::StrCat(Sv(kMakeView), select),
                       "SELECT pg_get_viewdef('pg_temp.sy_probe_view'::regclass)", Query::kOurs,
                       kMakeView.size()));
  return row.str(0, 0);
}

absl::StatusOr<std::string> Probe::Bound(const std::string& select) {
  // What both call, by the trees they are parsed to.
  static constexpr char kCalled[] = R"((SELECT array_agg(DISTINCT m[2]::oid ORDER BY m[2]::oid)
      FROM pg_rewrite r,
        regexp_matches(ev_action::text, ':(funcid|opno|aggfnoid|winfnoid) (\d+)', 'g') AS m
      WHERE r.ev_class = 'pg_temp.$1'::regclass))";
  const auto called = [](std::string_view view) {
    return absl::StrReplaceAll(kCalled, {{"$1", Sv(view)}});
  };
  ASSIGN_OR_RETURN(
      const pg::Result row,
      Try(absl::StrCat(Sv(kMakeView), select, "\n; ", kOurPath,
                       "; DO $sy$ BEGIN EXECUTE "
                       "'CREATE TEMP VIEW sy_bound_view AS ' || "
                       "pg_get_viewdef('pg_temp.sy_probe_view'::regclass); END $sy$"),
          absl::StrCat("SELECT pg_get_viewdef('pg_temp.sy_probe_view'::regclass), "
                       "pg_my_temp_schema()::regnamespace::text, ",
                       called("sy_probe_view"), " IS NOT DISTINCT FROM ", called("sy_bound_view")),
          Query::kOurs, kMakeView.size()));
  if (!row.boolean(0, 2)) {
    return absl::InvalidArgumentError(
        "it compares values by an operator that no text can name there (IS DISTINCT FROM, NULLIF, "
        "CASE x WHEN, USING, or rows): compare by a = b, or cast both to a type of Postgres' own");
  }
  std::string bound = ReplaceInSql(row.text(0, 0), row.str(0, 1) + ".", "pg_temp.");
  while (!bound.empty() && (bound.back() == ';' || bound.back() == '\n')) bound.pop_back();
  return bound;
}

absl::StatusOr<std::vector<Probe::TypedColumn>> Probe::ForeignTypes() {
  std::vector<TypedColumn> columns;
  for (const std::set<std::string>& portion : Portions()) {
    RETURN_IF_ERROR(ProvideAll(portion));
    ASSIGN_OR_RETURN(const pg::Result rows, Try("", R"(
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind = 'r' AND a.attnum > 0
      AND NOT a.attisdropped
      AND t.typnamespace NOT IN ('pg_catalog'::regnamespace, pg_my_temp_schema())
    ORDER BY 1, a.attnum)"));
    for (int i = 0; i < rows.rows(); ++i) {
      if (!portion.contains(rows.str(i, 0))) continue;
      columns.push_back(
          {.alias = rows.str(i, 0), .column = rows.str(i, 1), .type = rows.str(i, 2)});
    }
  }
  return columns;
}

absl::StatusOr<std::vector<Probe::ComparedColumn>> Probe::ForeignOperators(
    const std::vector<std::string>& tables) {
  std::string named = "NULL";
  for (const std::string& table : tables) {
    absl::StrAppend(&named, ", ", QuoteLiteral(table), "::regclass");
  }
  static constexpr char kCompared[] = R"(
    WITH RECURSIVE bases AS (
      SELECT oid AS domain, oid AS base, typtype, typbasetype FROM pg_type
      UNION ALL
      SELECT b.domain, t.oid, t.typtype, t.typbasetype
      FROM bases b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
    SELECT CASE WHEN s.oid <> pg_my_temp_schema() THEN s.nspname::text END, c.relname, a.attname,
           'OPERATOR(' || quote_ident(os.nspname) || '.' || o.oprname || ')',
           quote_ident(ts.nspname) || '.' || quote_ident(t.typname)
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN bases b ON b.domain = a.atttypid AND b.typtype <> 'd'
    JOIN pg_type t ON t.oid = b.base JOIN pg_namespace ts ON ts.oid = t.typnamespace
    JOIN pg_opclass k ON k.opcintype = b.base AND k.opcdefault
    JOIN pg_am m ON m.oid = k.opcmethod AND m.amname = 'btree'
    JOIN pg_amop p ON p.amopfamily = k.opcfamily AND p.amoplefttype = b.base
      AND p.amoprighttype = b.base AND p.amopstrategy = 3
    JOIN pg_operator o ON o.oid = p.amopopr AND o.oprnamespace <> 'pg_catalog'::regnamespace
    JOIN pg_namespace os ON os.oid = o.oprnamespace
    WHERE c.relkind IN ('r', 'p') AND (s.oid = pg_my_temp_schema() OR c.oid IN ($1))
    ORDER BY 1, 2, a.attnum)";
  std::vector<std::set<std::string>> portions = Portions();
  if (portions.empty()) portions.emplace_back();
  std::vector<ComparedColumn> columns;
  for (const std::set<std::string>& portion : portions) {
    const bool first = &portion == portions.data();
    RETURN_IF_ERROR(ProvideAll(portion));
    ASSIGN_OR_RETURN(const pg::Result rows,
                     Try("", absl::StrReplaceAll(kCompared, {{"$1", named}})));
    for (int i = 0; i < rows.rows(); ++i) {
      const bool targets = !rows.is_null(i, 0);
      if (targets ? !first : !portion.contains(rows.str(i, 1))) continue;
      columns.push_back({.schema = targets ? rows.str(i, 0) : "",
                         .table = rows.str(i, 1),
                         .column = rows.str(i, 2),
                         .equals = rows.str(i, 3),
                         .type = rows.str(i, 4)});
    }
  }
  return columns;
}

absl::StatusOr<bool> Probe::RunsOwnCode(const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Result row, Try("", RunsOwnCodeSql(tables, /*silent=*/false)));
  return row.boolean(0, 0);
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
                                              Query::kOurs, kMakeView.size()));
  std::vector<std::string> columns;
  for (int i = 0; i < rows.rows(); ++i) columns.push_back(rows.str(i, 0));
  return columns;
}

absl::Status Probe::Plans(const std::string& statement) {
  return Try("", absl::StrCat(Sv(kExplain), statement), Query::kTheirs, kExplain.size()).status();
}

absl::StatusOr<pg::Result> Probe::Shape(const std::string& select) {
  return Try("", absl::StrCat("SELECT * FROM (", select, "\n) AS sy_q LIMIT 0"), Query::kTheirs);
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
        regexp_matches(sql, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m),
    operators AS (
      SELECT DISTINCT o.* FROM tree, regexp_matches(sql, ':opno (\d+)', 'g') AS m
      JOIN pg_operator o ON o.oid = m[1]::oid)
    SELECT 'f', n.nspname::text, p.proname::text, p.provolatile::text,
           p.prokind IN ('a', 'w') OR p.proretset,
           n.nspname <> 'pg_catalog' AND EXISTS (
             SELECT FROM pg_proc s WHERE s.proname = p.proname
               AND s.pronamespace = 'pg_catalog'::regnamespace)
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                             AND d.objid = p.oid AND d.deptype = 'e'),
           '', pg_get_function_identity_arguments(p.oid),
           n.nspname <> 'pg_catalog' AND l.lanname NOT IN ('internal', 'c')
           AND p.prosqlbody IS NULL AND NOT EXISTS (
             SELECT FROM unnest(p.proconfig) AS s (setting)
             WHERE starts_with(s.setting, 'search_path='))
    FROM called c JOIN pg_proc p ON p.oid = c.oid JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    UNION ALL
    SELECT 'o', n.nspname::text, p.proname::text, p.provolatile::text, false, true,
           o.oprname::text, concat_ws(', ', nullif(o.oprleft, 0)::regtype, o.oprright::regtype),
           false
    FROM operators o JOIN pg_namespace n ON n.oid = o.oprnamespace
    JOIN pg_proc p ON p.oid = o.oprcode
    WHERE n.nspname <> 'pg_catalog' AND EXISTS (
        SELECT FROM pg_operator s WHERE s.oprname = o.oprname
          AND s.oprnamespace = 'pg_catalog'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass
                        AND d.objid = o.oid AND d.deptype = 'e')
    UNION ALL
    SELECT DISTINCT 'c', '', a.attname::text, 'v', false, false, '', '', false FROM tree,
      regexp_matches(sql, ':varattno (-\d+)', 'g') AS m
      JOIN pg_attribute a ON a.attrelid = 'pg_class'::regclass AND a.attnum = m[1]::int
    UNION ALL
    SELECT DISTINCT 'r', '', c.relname::text, 'v', false, false, '', '', false FROM tree,
      regexp_matches(sql, ':varattno 0 :vartype (\d+)', 'g') AS m
      JOIN pg_class c ON c.reltype = m[1]::oid AND c.relnamespace = pg_my_temp_schema()
    UNION ALL
    SELECT 's', '', '', 'v', false, false, '', '', false FROM tree WHERE sql ~ '\{TABLESAMPLECLAUSE'
    UNION ALL
    SELECT 'z', '', CASE oid WHEN 1174 THEN 'date' ELSE 'timestamp' END, 'v', false, false, '', '',
           false
    FROM called WHERE oid IN (1174, 2028)
    UNION ALL
    SELECT 'z', '', 'text', 'v', false, false, '', '', false FROM tree
    WHERE sql ~ ':resulttype 1184 :resultcollid'
    ORDER BY 1, 2, 3, 7, 8)",
                                              Query::kOurs, kMakeView.size()));
  Resolved resolved;
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.str(i, 0) == "s") {
      resolved.samples = true;
    } else if (rows.str(i, 0) == "z") {
      resolved.assumes_zone.push_back(rows.str(i, 2));
    } else if (rows.str(i, 0) == "c") {
      resolved.system_columns.push_back(rows.str(i, 2));
    } else if (rows.str(i, 0) == "r") {
      resolved.whole_rows.push_back(rows.str(i, 2));
    } else {
      resolved.functions.push_back({.schema = rows.str(i, 1),
                                    .name = rows.str(i, 2),
                                    .volatility = rows.str(i, 3)[0],
                                    .many_rows = rows.boolean(i, 4),
                                    .shadows = rows.boolean(i, 5),
                                    .as_operator = rows.str(i, 6),
                                    .arguments = rows.str(i, 7),
                                    .by_path = rows.boolean(i, 8)});
    }
  }
  return resolved;
}

absl::StatusOr<std::vector<std::string>> Probe::Names(const std::string& query, Query whose) {
  ASSIGN_OR_RETURN(const pg::Result rows, Try("", query, whose));
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.str(i, 0));
  return names;
}

absl::StatusOr<std::vector<std::string>> Probe::FunctionNames() {
  return Names(
      "SELECT DISTINCT proname FROM pg_catalog.pg_proc "
      "WHERE pg_catalog.pg_function_is_visible(oid) ORDER BY 1",
      Query::kTheirs);
}

absl::StatusOr<std::vector<std::string>> Probe::TableNames() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, Names(R"(
    SELECT n.nspname || '.' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
      AND n.nspname !~ '^(pg_|information_schema$|switchyard)'
    ORDER BY 1 LIMIT 10000)",
                                                         Query::kOurs));
  for (const auto& [alias, ddl] : tables_) names.push_back(alias);
  return names;
}

}  // namespace switchyard::mapping
