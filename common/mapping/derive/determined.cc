#include "common/mapping/derive/determined.h"

#include <algorithm>

#include "common/base/strings.h"

namespace switchyard::mapping::derive {
namespace {

using std::set;
using std::string;
using std::vector;

const TableFacts* FactsOf(const Unit& unit, const Facts& facts) {
  const auto& tables = unit.schema.empty() ? facts.old_tables : facts.new_tables;
  const auto found = tables.find(unit.schema.empty() ? unit.table : unit.schema + "." + unit.table);
  return found == tables.end() ? nullptr : &found->second;
}

// The key's columns and those of other unique indexes, primary key first.
vector<vector<string>> KeysOf(const TableFacts& table) {
  vector<vector<string>> keys;
  if (!table.key.empty()) keys.push_back(table.key);
  keys.insert(keys.end(), table.unique.begin(), table.unique.end());
  return keys;
}

// x COLLATE c and x::text are as much as x.
const Json& Bare(const Json& sql) {
  if (Is(sql, "CollateClause")) return Bare(Body(sql)["arg"]);
  if (Is(sql, "TypeCast") && Body(sql)["typeName"].contains("names") &&
      Qualified(List(Body(sql)["typeName"], "names")).first == "text") {
    return Bare(Body(sql)["arg"]);
  }
  return sql;
}

// A scalar sub-select gives one row.
bool IsScalar(const Unit& unit) { return unit.kind == Unit::Kind::kQuery && unit.alias.empty(); }

// A function that gives one row, or one that numbers its rows: the number's column.
bool GivesOneRow(const Unit& unit, const Facts& facts) {
  if (!Is(unit.body, "RangeFunction")) return false;
  bool one = true;
  Visit(unit.body, [&](const Json& node) {
    if (Is(node, "FuncCall")) {
      const auto known = facts.functions.find(Qualified(List(Body(node), "funcname")).first);
      one &= known != facts.functions.end() && !known->second.returns_set;
    }
    return one;
  });
  return one;
}

bool NumbersRows(const Unit& unit) {
  return Is(unit.body, "RangeFunction") && Body(unit.body).value("ordinality", false);
}

}  // namespace

Determined::Determined(const Block& block, const vector<Json>& given, const Facts& facts)
    : block_(block), facts_(facts) {
  for (const Unit& unit : block.units) own_.insert(unit.name);
  for (const Json& each : given) Add(each);
  for (bool more = true; more;) {
    more = false;
    for (const Unit& unit : block_.units) more |= !fixed_.contains(unit.name) && Follow(unit);
    for (const Condition& each : block_.conditions) more |= Follow(each);
  }
}

void Determined::Add(const Json& sql) {
  expressions_.push_back(sql);
  if (const auto column = AsColumn(Bare(sql))) columns_.insert(*column);
}

bool Determined::Holds(const Json& sql) const {
  if (!sql.is_structured()) return true;
  if (std::ranges::count(expressions_, sql) > 0) return true;
  if (Is(sql, "Link") || (Is(sql, "FuncCall") && Body(sql).contains("over"))) return false;
  if (const auto column = AsColumn(sql)) {
    return !own_.contains(column->unit) || fixed_.contains(column->unit) ||
           columns_.contains(*column);
  }
  return std::ranges::all_of(sql, [&](const Json& each) { return Holds(each); });
}

// a = b: what the one side is, the other is. In an outer join's ON only what is to be found by it.
bool Determined::Follow(const Condition& condition) {
  if (!IsEquality(condition.sql) || condition.both_sides) return false;
  const Json& left = Body(condition.sql)["lexpr"];
  const Json& right = Body(condition.sql)["rexpr"];
  bool more = false;
  const auto follow = [&](const Json& from, const Json& to) {
    const auto column = AsColumn(Bare(to));
    if (!column || Holds(to) || !Holds(from)) return;
    const auto unit = std::ranges::find(block_.units, column->unit, &Unit::name);
    if (unit == block_.units.end()) return;
    if (!condition.path.empty() && std::ranges::count(unit->path, condition.path.back()) == 0) {
      return;
    }
    columns_.insert(*column);
    more = true;
  };
  follow(left, right);
  follow(right, left);
  return more;
}

set<size_t> Determined::GivenOf(const Unit& unit) const {
  set<size_t> given;
  for (size_t i = 0; i < unit.columns.size(); ++i) {
    if (columns_.contains({.unit = unit.name, .column = unit.columns[i]})) given.insert(i);
  }
  return given;
}

Apart Determined::ApartIn(const Unit& unit) const {
  if (IsScalar(unit)) return Apart::kYes;
  if (unit.kind == Unit::Kind::kQuery) return ApartBy(*unit.query, GivenOf(unit), facts_);
  if (unit.kind == Unit::Kind::kBody) {
    const bool known = std::ranges::all_of(UnitsOf(unit.body), [&](const string& each) {
      return !own_.contains(each) || fixed_.contains(each);
    });
    const bool numbered =
        NumbersRows(unit) && columns_.contains({.unit = unit.name, .column = unit.columns.back()});
    return known && (numbered || GivesOneRow(unit, facts_)) ? Apart::kYes : Apart::kUnknown;
  }
  const TableFacts* table = FactsOf(unit, facts_);
  if (table == nullptr) return Apart::kUnknown;
  const vector<vector<string>> keys = KeysOf(*table);
  const bool whole = std::ranges::any_of(keys, [&](const vector<string>& key) {
    return std::ranges::all_of(key, [&](const string& column) {
      return columns_.contains({.unit = unit.name, .column = column});
    });
  });
  return whole ? Apart::kYes : keys.empty() ? Apart::kUnknown : Apart::kNo;
}

bool Determined::Follow(const Unit& unit) {
  if (ApartIn(unit) != Apart::kYes) return false;
  return fixed_.insert(unit.name).second;
}

Apart Determined::RowsApart() const {
  Apart all = Apart::kYes;
  for (const Unit& unit : block_.units) {
    if (fixed_.contains(unit.name)) continue;
    const Apart apart = ApartIn(unit);
    // What nothing is known of may tell apart what else would not be.
    if (apart == Apart::kUnknown) return apart;
    if (apart == Apart::kNo) all = apart;
  }
  return all;
}

Apart Determined::GroupsApart() const {
  if (block_.grouping_sets) return Apart::kUnknown;
  const bool all =
      std::ranges::all_of(block_.group_by, [&](const Json& each) { return Holds(each); });
  if (all) return Apart::kYes;
  const Apart rows = RowsApart();
  return rows == Apart::kNo ? rows : rows == Apart::kYes ? Apart::kYes : Apart::kUnknown;
}

vector<string> Determined::Missing() const {
  vector<string> missing;
  for (const Unit& unit : block_.units) {
    if (fixed_.contains(unit.name) || unit.alias.empty()) continue;
    const TableFacts* table = unit.kind == Unit::Kind::kTable ? FactsOf(unit, facts_) : nullptr;
    const vector<vector<string>> keys =
        table == nullptr ? vector<vector<string>>{} : KeysOf(*table);
    if (keys.empty()) continue;
    for (const string& column : keys.front()) {
      if (!columns_.contains({.unit = unit.name, .column = column})) {
        missing.push_back(unit.alias + "." + column);
      }
    }
  }
  return missing;
}

Apart ApartBy(const Query& query, const set<size_t>& outputs, const Facts& facts) {
  const bool all = outputs.size() == query.columns.size();
  if (query.kind == Query::Kind::kRecursive) return Apart::kUnknown;
  if (query.kind != Query::Kind::kBlock) {
    return all && query.distinct ? Apart::kYes : Apart::kUnknown;
  }
  const Block& block = query.block;
  if ((block.distinct && all) || (block.aggregates && !block.grouped)) return Apart::kYes;
  vector<Json> given;
  for (const size_t each : outputs) given.push_back(block.outputs[each].sql);
  const Determined determined(block, given, facts);
  if (block.distinct_on && std::ranges::all_of(*block.distinct_on, [&](const Json& each) {
        return determined.Holds(each);
      })) {
    return Apart::kYes;
  }
  if (block.grouped) return determined.GroupsApart();
  const Apart rows = determined.RowsApart();
  // DISTINCT and DISTINCT ON leave fewer.
  return rows == Apart::kNo && (block.distinct || block.distinct_on) ? Apart::kUnknown : rows;
}

}  // namespace switchyard::mapping::derive
