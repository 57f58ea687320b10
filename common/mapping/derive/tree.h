// Parse trees of SQL as JSON, as libpg_query gives them, without locations; and back to text.
//
//   ASSIGN_OR_RETURN(Json select, ParseSelect("SELECT lower(email) FROM customers"));
//   ASSIGN_OR_RETURN(std::string sql, Deparse(select));
//
// A node is an object with one member, its kind: {"ColumnRef": {"fields": [...]}}. Two nodes are
// the same SQL exactly when they compare equal. Pure.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"

namespace switchyard::mapping::derive {

using Json = nlohmann::json;

// The content of the one SELECT that `sql` must be: {"targetList": ..., "fromClause": ...}.
// InvalidArgument with the parser's words.
absl::StatusOr<Json> ParseSelect(const std::string& sql);
// An expression's node.
absl::StatusOr<Json> ParseExpression(const std::string& sql);
// The text of what ParseSelect gives. Internal: the parser's library refuses it.
absl::StatusOr<std::string> Deparse(const Json& select);

// Its kind, "" where there is none; and what the kind's member holds.
std::string Kind(const Json& node);
const Json& Body(const Json& node);
bool Is(const Json& node, std::string_view kind);
std::string Text(const Json& body, const char* key);
// A list that may be left out.
const Json& List(const Json& body, const char* key);
// {"String": {"sval": "x"}} -> x
std::string NamePart(const Json& node);
Json Name(const std::string& name);
// The last part of a list of names, and what stands before it ("" or a schema).
std::pair<std::string, std::string> Qualified(const Json& names);

Json Null();
Json Bool(bool value);
bool IsNull(const Json& node);  // NULL, cast or not
std::optional<bool> AsBool(const Json& node);
bool IsConstant(const Json& node);  // cast or not; NULL is none

// (unit, column), of a ColumnRef with two parts; "*" for the whole row.
struct ColumnName {
  std::string unit, column;
  auto operator<=>(const ColumnName&) const = default;
};
Json Column(const std::string& unit, const std::string& column);
std::optional<ColumnName> AsColumn(const Json& node);

// A value that says nothing of the rows it comes from: what it may not be used for, and why.
Json Closed(const std::string& why);
// The reason of the first closed value in it.
std::optional<std::string> WhyClosed(const Json& node);

// `a = b` with the operator that Postgres finds in pg_catalog.
bool IsEquality(const Json& node);
// Splits at AND, also nested ones.
std::vector<Json> Conjuncts(const Json& node);
Json BoolExpr(std::string_view op, std::vector<Json> arguments);  // AND_EXPR, OR_EXPR, NOT_EXPR

// Calls `visit` for the node and every node in it, outermost first; it says whether to go into it.
void Visit(const Json& node, const std::function<bool(const Json&)>& visit);
// Replaces the outermost nodes for which `replace` gives one.
Json Rewrite(const Json& node, const std::function<std::optional<Json>(const Json&)>& replace);
bool Contains(const Json& node, std::string_view kind);
// Units whose columns it names.
std::set<std::string> UnitsOf(const Json& node);

}  // namespace switchyard::mapping::derive
