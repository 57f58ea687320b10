#include "common/mapping/derive/write.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;
using std::vector;

Json Renamed(const Json& sql, const std::map<string, string>& names) {
  return Rewrite(sql, [&](const Json& node) -> std::optional<Json> {
    const auto column = AsColumn(node);
    if (!column) return std::nullopt;
    const auto name = names.find(column->unit);
    if (name == names.end()) return std::nullopt;
    return Column(name->second, column->column);
  });
}

// Whether `a` finds nothing that `b` does not: the same values from fewer units and conditions.
class Cover {
 public:
  Cover(const Lookup& a, const Lookup& b) : a_(a), b_(b) {}
  bool Holds() {
    if (b_.units.size() > a_.units.size() || b_.conditions.size() > a_.conditions.size()) {
      return false;
    }
    names_[b_.row] = a_.row;
    return Match(0);
  }

 private:
  bool Match(size_t at) {
    if (at == b_.units.size()) return Same();
    for (const Unit& unit : a_.units) {
      const Unit& own = b_.units[at];
      const bool alike = unit.kind == own.kind && unit.schema == own.schema &&
                         unit.table == own.table && unit.columns == own.columns;
      if (!alike || used_.contains(unit.name)) continue;
      used_.insert(unit.name);
      names_[own.name] = unit.name;
      if (Match(at + 1)) return true;
      used_.erase(unit.name);
      names_.erase(own.name);
    }
    return false;
  }

  bool Same() const {
    for (size_t i = 0; i < a_.values.size(); ++i) {
      if (Renamed(b_.values[i], names_) != a_.values[i]) return false;
    }
    for (const Unit& unit : b_.units) {
      if (unit.kind != Unit::Kind::kBody) continue;
      const string& name = names_.at(unit.name);
      const auto same = std::ranges::find(a_.units, name, &Unit::name);
      if (Renamed(unit.body, names_) != same->body) return false;
    }
    return std::ranges::all_of(b_.conditions, [&](const Json& each) {
      return std::ranges::count(a_.conditions, Renamed(each, names_)) > 0;
    });
  }

  const Lookup& a_;
  const Lookup& b_;
  std::map<string, string> names_;
  std::set<string> used_;
};

// A unit's name for people, unlike the others and the row's.
std::map<string, string> NamesOf(const Lookup& lookup, const string& row_name) {
  std::map<string, string> names = {{lookup.row, row_name}};
  std::set<string> used = {row_name};
  for (const Unit& unit : lookup.units) {
    const string wish = unit.alias.empty() ? "t" : unit.alias;
    string name = wish;
    for (int i = 2; !used.insert(name).second; ++i) name = wish + "_" + std::to_string(i);
    names[unit.name] = name;
  }
  return names;
}

Json FromItem(const Unit& unit, const std::map<string, string>& names) {
  Json alias = {{"aliasname", names.at(unit.name)}};
  if (unit.kind == Unit::Kind::kTable) {
    Json table = {{"relname", unit.table}, {"inh", true}, {"relpersistence", "p"}};
    if (!unit.schema.empty()) table["schemaname"] = unit.schema;
    if (names.at(unit.name) != unit.table) table["alias"] = alias;
    return {{"RangeVar", table}};
  }
  Json item = Renamed(unit.body, names);
  for (const string& column : unit.columns) alias["colnames"].push_back(Name(column));
  if (!List(Body(item), "coldeflist").empty()) alias.erase("colnames");
  item[Kind(item)]["alias"] = alias;
  return item;
}

// Functions and VALUES after what they are made of.
vector<const Unit*> InOrder(const vector<Unit>& units) {
  vector<const Unit*> order;
  std::set<string> placed;
  std::set<string> all;
  for (const Unit& unit : units) all.insert(unit.name);
  while (order.size() < units.size()) {
    const size_t before = order.size();
    for (const Unit& unit : units) {
      if (placed.contains(unit.name)) continue;
      const std::set<string> of = UnitsOf(unit.body);
      if (!std::ranges::all_of(of, [&](const string& each) {
            return placed.contains(each) || !all.contains(each);
          })) {
        continue;
      }
      placed.insert(unit.name);
      order.push_back(&unit);
    }
    if (order.size() == before) break;
  }
  return order;
}

absl::StatusOr<string> SelectText(const Lookup& lookup, const string& row_name) {
  const std::map<string, string> names = NamesOf(lookup, row_name);
  Json select = {{"limitOption", "LIMIT_OPTION_DEFAULT"}, {"op", "SETOP_NONE"}};
  for (const Json& value : lookup.values) {
    select["targetList"].push_back({{"ResTarget", {{"val", Renamed(value, names)}}}});
  }
  for (const Unit* unit : InOrder(lookup.units)) {
    select["fromClause"].push_back(FromItem(*unit, names));
  }
  vector<Json> conditions;
  for (const Json& each : lookup.conditions) conditions.push_back(Renamed(each, names));
  if (conditions.size() == 1) select["whereClause"] = conditions.front();
  if (conditions.size() > 1) select["whereClause"] = BoolExpr("AND_EXPR", conditions);
  return Deparse(select);
}

// `sql` without the unit's name before its columns, as an index has it.
absl::StatusOr<string> OverColumns(const Json& sql) {
  const Json bare = Rewrite(sql, [&](const Json& node) -> std::optional<Json> {
    const auto column = AsColumn(node);
    if (!column) return std::nullopt;
    return Json{{"ColumnRef", {{"fields", {Name(column->column)}}}}};
  });
  const Json select = {{"limitOption", "LIMIT_OPTION_DEFAULT"},
                       {"op", "SETOP_NONE"},
                       {"targetList", {{{"ResTarget", {{"val", bare}}}}}}};
  ASSIGN_OR_RETURN(const string text, Deparse(select));
  return text.substr(sizeof("SELECT ") - 1);
}

absl::Status AddWishes(const Lookup& lookup, const Unit& row, std::set<IndexWish>* wishes) {
  const auto add = [&](const Unit& unit, const Json& sql) -> absl::Status {
    ASSIGN_OR_RETURN(const string text, OverColumns(sql));
    wishes->insert({.schema = unit.schema, .table = unit.table, .sql = text});
    return absl::OkStatus();
  };
  // A recompute finds the row's like by the scope.
  for (const Json& value : lookup.values) {
    if (UnitsOf(value) == std::set<string>{lookup.row}) RETURN_IF_ERROR(add(row, value));
  }
  for (const Json& condition : lookup.conditions) {
    // With a constant it finds too many to be worth an index.
    if (!IsEquality(condition) || UnitsOf(condition).size() < 2) continue;
    for (const char* side : {"lexpr", "rexpr"}) {
      const std::set<string> units = UnitsOf(Body(condition)[side]);
      for (const Unit& unit : lookup.units) {
        if (unit.kind == Unit::Kind::kTable && units == std::set<string>{unit.name}) {
          RETURN_IF_ERROR(add(unit, Body(condition)[side]));
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RuleText> WriteRule(const vector<Lookup>& lookups, const Unit& row,
                                   const string& row_name) {
  vector<Lookup> kept;
  for (size_t i = 0; i < lookups.size(); ++i) {
    bool covered = false;
    for (size_t j = 0; j < lookups.size() && !covered; ++j) {
      if (i == j || !Cover(lookups[i], lookups[j]).Holds()) continue;
      // Of two alike the first stays.
      covered = j < i || !Cover(lookups[j], lookups[i]).Holds();
    }
    if (!covered) kept.push_back(lookups[i]);
  }
  RuleText rule;
  for (const Lookup& each : kept) RETURN_IF_ERROR(AddWishes(each, row, &rule.wishes));
  // The row's own values, whatever holds of it: an expression needs no mirror for its before-image.
  const auto same_values = [&](const Lookup& each) {
    return each.units.empty() && std::ranges::equal(
                                     each.values, kept.front().values, {},
                                     [&](const Json& v) {
                                       return Renamed(v, {{each.row, "r"}});
                                     },
                                     [&](const Json& v) {
                                       return Renamed(v, {{kept.front().row, "r"}});
                                     });
  };
  if (!kept.empty() && std::ranges::all_of(kept, same_values)) {
    vector<string> values;
    for (const Json& value : kept.front().values) {
      ASSIGN_OR_RETURN(string text, OverColumns(value));
      values.push_back(std::move(text));
    }
    rule.touches = absl::StrJoin(values, ", ");
    return rule;
  }
  vector<string> arms;
  for (const Lookup& each : kept) {
    ASSIGN_OR_RETURN(string text, SelectText(each, row_name));
    arms.push_back(std::move(text));
  }
  rule.touches = absl::StrJoin(arms, "\nUNION ALL\n");
  return rule;
}

}  // namespace switchyard::mapping::derive
