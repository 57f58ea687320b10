#include "common/mapping/derive/nulls.h"

#include <algorithm>

#include "common/base/strings.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;

class NullFinder {
 public:
  NullFinder(const Block& block, const Facts& facts) : block_(block), facts_(facts) {}

  std::optional<string> In(const Json& sql) const {
    if (IsNull(sql)) return "NULL";
    if (const auto column = AsColumn(sql)) return Of(*column);
    const string kind = Kind(sql);
    if (kind == "TypeCast" || kind == "CollateClause") return In(Body(sql)["arg"]);
    if (kind == "FuncCall" && IsStrict(Body(sql))) return InAny(List(Body(sql), "args"));
    if (kind == "A_Expr" && Text(Body(sql), "kind") == "AEXPR_OP" &&
        facts_.strict_operators.contains(Qualified(List(Body(sql), "name")).first)) {
      const std::optional<string> left = In(Body(sql).value("lexpr", Json()));
      return left ? left : In(Body(sql).value("rexpr", Json()));
    }
    if (kind == "CoalesceExpr") return InAll(List(Body(sql), "args"));
    return std::nullopt;
  }

 private:
  std::optional<string> InAny(const Json& list) const {
    for (const Json& each : list) {
      if (std::optional<string> found = In(each)) return found;
    }
    return std::nullopt;
  }
  std::optional<string> InAll(const Json& list) const {
    std::optional<string> last;
    for (const Json& each : list) {
      last = In(each);
      if (!last) return std::nullopt;
    }
    return last;
  }

  bool IsStrict(const Json& call) const {
    const auto known = facts_.functions.find(Qualified(List(call, "funcname")).first);
    return known != facts_.functions.end() && known->second.strict && !known->second.aggregate &&
           !known->second.returns_set && !call.contains("over");
  }

  std::optional<string> Of(const ColumnName& column) const {
    const auto unit = std::ranges::find(block_.units, column.unit, &Unit::name);
    if (unit == block_.units.end() || IsAskedFor(*unit, column)) return std::nullopt;
    const string name = unit->alias + "." + column.column;
    if (unit->kind == Unit::Kind::kBody || unit->alias.empty()) return std::nullopt;
    // Of a full join one side is always there.
    const bool full = std::ranges::any_of(block_.conditions, &Condition::both_sides);
    if (!unit->path.empty()) return full ? std::nullopt : std::optional<string>(name);
    if (unit->kind == Unit::Kind::kQuery) {
      const auto at = std::ranges::find(unit->columns, column.column);
      if (at == unit->columns.end()) return std::nullopt;
      return MayBeNull(*unit->query, static_cast<size_t>(at - unit->columns.begin()), facts_);
    }
    const auto& tables = unit->schema.empty() ? facts_.old_tables : facts_.new_tables;
    const auto table =
        tables.find(unit->schema.empty() ? unit->table : unit->schema + "." + unit->table);
    if (table == tables.end()) return std::nullopt;
    const auto facts = std::ranges::find(table->second.columns, column.column, &ColumnFacts::name);
    if (facts == table->second.columns.end() || facts->not_null) return std::nullopt;
    return name;
  }

  // A condition that looks at it, or at a row that may be missing, most often leaves NULL out; one
  // with a sub-query may look at anything.
  bool IsAskedFor(const Unit& unit, const ColumnName& column) const {
    bool asked = false;
    for (const Condition& each : block_.conditions) {
      const bool always = std::ranges::includes(unit.path, each.path);
      if (!always || (!unit.path.empty() && !each.path.empty())) continue;
      Visit(each.sql, [&](const Json& node) {
        const auto named = AsColumn(node);
        asked |= Is(node, "Link") ||
                 (named && (unit.path.empty() ? *named == column : named->unit == unit.name));
        return !asked;
      });
    }
    for (const Json& each : block_.others) asked |= Contains(each, "NullTest");
    return asked;
  }

  const Block& block_;
  const Facts& facts_;
};

}  // namespace

std::optional<string> MayBeNull(const Query& query, size_t output, const Facts& facts) {
  if (query.kind == Query::Kind::kUnion) {
    const std::optional<string> left = MayBeNull(*query.left, output, facts);
    return left ? left : MayBeNull(*query.right, output, facts);
  }
  if (query.kind != Query::Kind::kBlock || query.block.grouping_sets ||
      output >= query.block.outputs.size()) {
    return std::nullopt;
  }
  return NullFinder(query.block, facts).In(query.block.outputs[output].sql);
}

}  // namespace switchyard::mapping::derive
