// Asks the target database about mapping SQL, without leaving a trace: temporary tables stand in
// for the source's tables, and everything happens in transactions that are rolled back.
//
// Each stand-in is locked until its transaction ends, with what hangs on it, and thousands of them
// would fill the lock table that all sessions of that server share. So a transaction holds some of
// them only: those that a statement names are made before it, in another transaction where this one
// has enough.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/compile/probe/probe_session.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {

class Probe {
 public:
  // Columns read, by the alias of the source table.
  using Reads = std::map<std::string, std::set<std::string>>;

  explicit Probe(ProbeSession& session) : session_(session) {}
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // Begins a transaction and makes the source's user types in pg_temp, and Switchyard's own
  // functions and tables, where they are not installed yet and may be. Each a search_path: where
  // types of columns are looked for, and where names in the SQL given are.
  absl::Status Begin(const std::vector<catalog::UserType>& types, const std::string& of_types,
                     const std::string& of_sql);
  // An empty table of this name and these columns. InvalidArgument when this database lacks a type.
  absl::Status AddTable(const std::string& alias, const catalog::Table& table);
  // DDL that such a table is to have, too; it has not when it fails.
  absl::Status AddToTable(const std::string& alias, const std::string& ddl);

  // Where a type stands that its name alone does not find; empty when it does, or is nowhere.
  absl::StatusOr<std::string> UnseenSchemaOf(const std::string& type);

  // What the database says against a statement is InvalidArgument with its own words, and with the
  // error's fields (pg::StatusErrorFields), whose position counts in the text given here.

  // What `select` reads of the tables added.
  absl::StatusOr<Reads> ReadsOf(const std::string& select);
  // The select as the server writes it, every name and type resolved: pg_get_viewdef().
  absl::StatusOr<std::string> Definition(const std::string& select);
  // The same, to be run where only pg_catalog and pg_temp are looked into. InvalidArgument as well
  // when it would mean something else there: no text names the operator of IS DISTINCT FROM,
  // NULLIF, CASE x WHEN and USING.
  absl::StatusOr<std::string> Bound(const std::string& select);
  // Output column names of a select.
  absl::StatusOr<std::vector<std::string>> ColumnsOf(const std::string& select);
  // Whether the statement plans; for types and column lists of an INSERT.
  absl::Status Plans(const std::string& statement);
  // What `select` gives, without a row.
  absl::StatusOr<pg::Result> Shape(const std::string& select);
  // For columns of `select` that compare in another way than those of their name in the table
  // `target` (quoted): what makes them compare as those do, "::type" and " COLLATE collation".
  absl::StatusOr<std::map<std::string, std::string>> ComparedAs(const std::string& select,
                                                                const std::string& target);
  // As format_type() writes it.
  absl::StatusOr<std::string> TypeName(uint32_t oid, int32_t modifier);
  // Whether an index over this expression can be made: it is immutable, its type has an order.
  bool CanIndex(const std::string& alias, const std::string& expression);

  struct Function {
    std::string schema, name;
    char volatility = 'v';   // as in pg_proc
    bool many_rows = false;  // aggregate, window or set-returning
    // Somebody's own, of a name that pg_catalog has too; of an operator: its name, else empty.
    bool shadows = false;
    std::string as_operator;
    std::string arguments;  // their types, where it shadows
    bool by_path = false;   // looks names up as it runs, by a path that it does not set
  };
  // What a statement comes down to, once the server has resolved its names, operators and casts.
  struct Resolved {
    std::vector<Function> functions;
    std::vector<std::string> system_columns;  // ctid, xmin ...
    std::vector<std::string> whole_rows;      // tables whose row is taken for one value
    bool samples = false;                     // TABLESAMPLE
    // Types ("text", "date", "timestamp") whose values become times with a zone, by the session's.
    std::vector<std::string> assumes_zone;
  };
  absl::StatusOr<Resolved> Resolve(const std::string& select);

  // Columns of the tables added whose type is neither pg_catalog's nor the source's own: its name
  // with its schema.
  struct TypedColumn {
    std::string alias, column, type;
  };
  absl::StatusOr<std::vector<TypedColumn>> ForeignTypes();
  // Columns of the tables added (schema empty), and of NEW's `tables` (quoted), whose values are
  // told equal by an operator outside pg_catalog.
  struct ComparedColumn {
    std::string schema, table, column;
    std::string equals;  // OPERATOR(public.=)
    std::string type;    // with its schema, below any domain
  };
  absl::StatusOr<std::vector<ComparedColumn>> ForeignOperators(
      const std::vector<std::string>& tables);

  // Whether writing `tables` (quoted) can run code of NEW's own: RunsOwnCodeSql().
  absl::StatusOr<bool> RunsOwnCode(const std::vector<std::string>& tables);

  // EXPLAIN (FORMAT JSON, VERBOSE) of `statement` after `setup`, which does not stay, with every
  // way of reading that is not by index discouraged.
  absl::StatusOr<std::string> Explain(const std::vector<std::string>& setup,
                                      const std::string& statement);
  // Of every table that was ever analysed, by schema.name.
  absl::StatusOr<std::map<std::string, int64_t>> RowEstimates();

  // Of functions and operators of these names, whatever their arguments.
  struct Called {
    bool aggregate = false, returns_set = false;  // one of them is
    bool strict = true;                           // all of them are
    std::string result;                           // "" where they differ
  };
  absl::StatusOr<std::map<std::string, Called>> FunctionsNamed(const std::set<std::string>& names);
  absl::StatusOr<std::set<std::string>> StrictOperators();
  struct ReadColumn {
    std::string name, type;
    bool not_null = false, deterministic = true, in_key = false;
  };
  // Of a table of this database; `table` quoted.
  absl::StatusOr<std::vector<ReadColumn>> ColumnsOfTable(const std::string& table);

  // Every function and every table this session sees, to suggest in place of one it doesn't.
  absl::StatusOr<std::vector<std::string>> FunctionNames();
  absl::StatusOr<std::vector<std::string>> TableNames();

 private:
  // Whose names are in it: ours are looked for in pg_catalog alone, where nobody can create others.
  enum class Query { kOurs, kTheirs };
  static constexpr char kOurPath[] = "SET LOCAL search_path = pg_catalog";
  absl::Status BeginTransaction();
  absl::Status AddOwnTables();
  absl::Status AddDdl(const std::string& alias, const std::string& path, const std::string& ddl);
  // Runs a statement that stays, inside the transaction; nothing of it stays when it fails. `path`
  // sets search_path.
  absl::Status RunIn(const std::string& path, const std::string& statement);
  // Runs both and rolls back what they did; `setup` has their names. `shift` characters of the
  // first that is not empty are not the caller's.
  absl::StatusOr<pg::Result> Try(const std::string& setup, const std::string& query,
                                 Query whose = Query::kOurs, int shift = 0);
  // Makes the tables that `sql` names, where they are not there.
  absl::Status Provide(const std::string& sql);
  // Aliases of tables that `sql` may name; of some it does not.
  std::set<std::string> Named(const std::string& sql) const;
  // All of them, as many at a time as may be there.
  std::vector<std::set<std::string>> Portions() const;
  absl::Status ProvideAll(const std::set<std::string>& aliases);
  absl::StatusOr<std::vector<std::string>> Names(const std::string& query, Query whose);

  ProbeSession& session_;
  const std::vector<catalog::UserType>* types_ = nullptr;   // once begun
  std::map<std::string, std::vector<std::string>> tables_;  // DDL by alias
  std::set<std::string> here_;                              // those of this transaction
  bool plain_names_ = true;                                 // each alias is a word
  std::string types_path_, their_path_;                     // each sets it
};

}  // namespace switchyard::mapping
