// What a piece of mapping SQL reads and does, told from its parse tree (libpg_query). Pure.
//
//   ASSIGN_OR_RETURN(SelectShape shape, AnalyzeSelect("SELECT id, lower(email) FROM customers"));
//
// Errors are InvalidArgument with the parser's message and the character offset it points to.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/base/status.h"

namespace switchyard::mapping {

// A name as written; schema empty when unqualified. `offset` is where it first stands in the SQL
// analysed, in bytes, and no part of what it is.
struct SqlName {
  std::string schema;
  std::string name;
  size_t offset = 0;
  friend auto operator<=>(const SqlName& a, const SqlName& b) {
    return std::tie(a.schema, a.name) <=> std::tie(b.schema, b.name);
  }
  friend bool operator==(const SqlName& a, const SqlName& b) { return (a <=> b) == 0; }
};

// A relation named in FROM. Names of CTEs are left out.
struct RelationRef : SqlName {};
// A function that is called.
struct FunctionRef : SqlName {};
// A word in a constant by which Postgres means the time of asking, where it reads a date or a
// time: now, today, tomorrow, yesterday.
struct TimeWord {
  std::string word;   // lower case
  size_t offset = 0;  // of the constant
  bool cast = false;  // under a cast to a date or a time, so that a text may be read as one, too
};

// What SQL asks for besides rows.
struct Calls {
  std::set<FunctionRef> functions;
  // SQL-standard time and user functions without parentheses (CURRENT_TIMESTAMP ...), as written
  // in the parse tree: SVFOP_CURRENT_TIMESTAMP.
  std::set<std::string> value_functions;
  std::vector<TimeWord> time_words;
  std::set<std::string> qualified_operators;  // written OPERATOR(schema.name), without the schema
};

// One output column of a plain single-table select.
struct OutputColumn {
  std::string name;               // as the select names it; "" when Postgres would make one up
  std::string sql;                // its expression, canonical text
  std::string plain_column;       // set when the expression is nothing but this column
  std::set<std::string> columns;  // every column it reads
};

struct SelectShape : Calls {
  std::set<RelationRef> relations;
  bool star = false;  // it selects * or t.*
  // One table, no WHERE, grouping, window, DISTINCT, sub-select, set operation, LIMIT or WITH:
  // every output row comes from one input row. Aggregates and set-returning functions can't be
  // told from a parse tree; the caller looks `functions` up.
  bool single_table = false;
  std::string table_alias;            // single_table: the name its columns may be qualified with
  std::vector<OutputColumn> outputs;  // single_table: empty when it selects *
};

// `sql` must be one SELECT (or VALUES, or WITH ... SELECT).
absl::StatusOr<SelectShape> AnalyzeSelect(std::string_view sql);

// A scalar expression over one row.
struct ExpressionShape : Calls {
  std::set<RelationRef> relations;  // of sub-selects
  std::set<std::string> columns;    // last part of every column reference outside sub-selects
  bool has_subquery = false;
  std::string plain_column;  // set when it is nothing but a column
};
absl::StatusOr<ExpressionShape> AnalyzeExpression(std::string_view sql);

// The same SQL with `schema.` before those relations in FROM (but for CTEs) and those types that
// stand there without one: for statements that run where no search path finds them. Expressions or
// a query.
struct UnqualifiedNames {
  std::set<std::string> relations;
  std::set<std::string> types;
};
absl::StatusOr<std::string> QualifyNames(std::string_view sql, std::string_view schema,
                                         const UnqualifiedNames& names);

// Any statement, reading and writing `moved` (schema and name -> a name in pg_temp) in place of the
// relations of these names. What called them by their own names still does.
absl::StatusOr<std::string> MoveRelations(std::string_view sql,
                                          const std::map<SqlName, std::string>& moved);

// True when the text is a query rather than an expression: it starts with SELECT, WITH or VALUES.
bool LooksLikeQuery(std::string_view sql);

}  // namespace switchyard::mapping
