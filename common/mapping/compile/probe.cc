#include "common/mapping/compile/probe.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/records/target_sql.h"

namespace switchyard::mapping {
namespace {

std::string InTemp(const std::string& sql) { return catalog::WithSchema(sql, "pg_temp"); }

std::string ArrayOf(const std::set<FunctionRef>& functions) {
  std::vector<std::string> names;
  for (const FunctionRef& function : functions) names.push_back(QuoteLiteral(function.name));
  return absl::StrCat("ARRAY[", absl::StrJoin(names, ","), "]::name[]");
}

// The SQL given is at fault, unless the server has troubles of its own.
absl::Status SaidAgainstIt(const absl::Status& status, int shift) {
  pg::ErrorFields fields = pg::StatusErrorFields(status);
  const bool own = !absl::IsInvalidArgument(status) && !absl::IsFailedPrecondition(status);
  if (fields.sqlstate.empty() || own) return status;
  int position = 0;
  if (absl::SimpleAtoi(fields.position, &position)) {
    fields.position = position > shift ? std::to_string(position - shift) : "";
  }
  return pg::WithErrorFields(absl::InvalidArgumentError(Sv(fields.primary)), fields);
}

constexpr std::string_view kMakeView = "CREATE TEMP VIEW sy_probe_view AS ";
constexpr std::string_view kExplain = "EXPLAIN ";

}  // namespace

Probe::~Probe() { session_.Rollback(); }

absl::Status Probe::Begin(const std::vector<catalog::UserType>& types) {
  RETURN_IF_ERROR(session_.Begin());
  for (const catalog::UserType& type : types) {
    RETURN_IF_ERROR(Annotate(session_.Execute(InTemp(type.create_sql)),
                             absl::StrCat("type ", type.schema, ".", type.name)));
  }
  return absl::OkStatus();
}

absl::Status Probe::AddOwnTables() {
  ASSIGN_OR_RETURN(const pg::Result there,
                   session_.Query("SELECT to_regclass('switchyard.id_map') IS NOT NULL"));
  if (there.boolean(0, 0)) return absl::OkStatus();
  // Without the right to make them, SQL that uses them is refused; check names the missing right.
  const absl::Status made = Run(records::TargetSetupSql());
  return absl::IsInvalidArgument(made) ? absl::OkStatus() : made;
}

absl::Status Probe::AddTable(const std::string& alias, const catalog::Table& table) {
  std::vector<std::string> columns;
  for (const catalog::Column& column : table.columns) {
    columns.push_back(QuoteIdentifier(column.name) + " " + InTemp(column.mirror_type));
  }
  return Run(absl::StrCat("CREATE TEMP TABLE ", QuoteIdentifier(alias), " (",
                          absl::StrJoin(columns, ", "), ")"));
}

absl::Status Probe::Run(const std::string& statement) {
  RETURN_IF_ERROR(session_.Execute("SAVEPOINT sy_run"));
  const absl::Status made = session_.Execute(statement);
  if (!made.ok() && !session_.alive()) return made;
  RETURN_IF_ERROR(session_.Execute(
      absl::StrCat(made.ok() ? "" : "ROLLBACK TO SAVEPOINT sy_run; ", "RELEASE SAVEPOINT sy_run")));
  return made.ok() ? made : SaidAgainstIt(made, 0);
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
  RETURN_IF_ERROR(session_.Execute("SAVEPOINT sy_probe"));
  absl::Status status = setup.empty() ? absl::OkStatus() : session_.Execute(setup);
  absl::StatusOr<pg::Result> result =
      status.ok() ? session_.Query(query) : absl::StatusOr<pg::Result>(status);
  if (!result.ok() && !session_.alive()) return result;
  RETURN_IF_ERROR(session_.Execute("ROLLBACK TO SAVEPOINT sy_probe; RELEASE SAVEPOINT sy_probe"));
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

absl::StatusOr<std::vector<Probe::Function>> Probe::Describe(
    const std::set<FunctionRef>& functions) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Try("", absl::StrCat(R"(
    SELECT p.proname, bool_and(p.provolatile = 'v'),
           bool_or(p.prokind IN ('a', 'w') OR p.proretset),
           bool_or(p.provolatile <> 'i' AND n.nspname NOT IN ('pg_catalog', 'switchyard')
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                                   AND d.objid = p.oid AND d.deptype = 'e'))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = ANY()",
                                        ArrayOf(functions), R"() GROUP BY p.proname)")));
  std::vector<Function> described;
  for (int i = 0; i < rows.rows(); ++i) {
    described.push_back({.name = rows.str(i, 0),
                         .is_volatile = rows.boolean(i, 1),
                         .many_rows = rows.boolean(i, 2),
                         .may_read_tables = rows.boolean(i, 3)});
  }
  return described;
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
  return Names(R"(
    SELECT CASE WHEN c.relnamespace = pg_my_temp_schema() THEN c.relname::text
                ELSE n.nspname || '.' || c.relname END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
      AND (c.relnamespace = pg_my_temp_schema()
           OR n.nspname !~ '^(pg_|information_schema$|switchyard)')
    ORDER BY 1 LIMIT 10000)");
}

}  // namespace switchyard::mapping
