#include "common/mapping/derive/shape.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/mapping/derive/outputs.h"

namespace switchyard::mapping::derive {
namespace {

using std::set;
using std::string;
using std::vector;

// Everything a block names, but the blocks of its units.
vector<const Json*> ExpressionsOf(const Block& block) {
  vector<const Json*> all;
  for (const Unit& each : block.units) all.push_back(&each.body);
  for (const Condition& each : block.conditions) all.push_back(&each.sql);
  for (const Output& each : block.outputs) all.push_back(&each.sql);
  for (const Json& each : block.others) all.push_back(&each);
  return all;
}

class Judge {
 public:
  Judge(const vector<Link>& links, const Facts& facts) : links_(links), facts_(facts) {}

  // `scope`: those of its outputs that the scope is made of.
  void OnTheWay(const Query& query, const set<size_t>& scope) {
    if (query.kind == Query::Kind::kBlock) return InBlock(query, scope);
    if (query.kind == Query::Kind::kRecursive) return;
    OnTheWay(*query.left, scope);
    OnTheWay(*query.right, scope);
    if (!query.limited) return;
    for (const size_t each : scope) Note(query, BelowLimit(query.columns[each]));
  }

  RuleLimits limits;

 private:
  void InBlock(const Query& query, const set<size_t>& scope) {
    const Block& block = query.block;
    set<ColumnName> named;
    for (const size_t each : scope) {
      if (each >= block.outputs.size()) continue;
      const Output& output = block.outputs[each];
      if (const auto closure = WhyClosed(block, output, facts_)) Note(query, *closure);
      Visit(output.sql, [&](const Json& node) {
        if (const auto column = AsColumn(node)) named.insert(*column);
        return true;
      });
    }
    for (const Unit& unit : block.units) {
      if (unit.kind != Unit::Kind::kQuery) continue;
      set<size_t> inner;
      for (size_t i = 0; i < unit.columns.size(); ++i) {
        if (named.contains({.unit = unit.name, .column = unit.columns[i]})) inner.insert(i);
      }
      if (inner.empty()) {
        Aside(*unit.query);
      } else {
        OnTheWay(*unit.query, inner);
      }
    }
    for (const Link* link : LinksIn(block)) Aside(*link->query);
  }

  // Rows that are combined where the scope does not come from.
  void Aside(const Query& query) {
    if (query.kind == Query::Kind::kRecursive) return;
    if (query.kind != Query::Kind::kBlock) {
      if (query.limited) NoteAside(query, BelowLimit(query.columns.at(0)));
      Aside(*query.left);
      Aside(*query.right);
      return;
    }
    const Block& block = query.block;
    for (const Output& output : block.outputs) {
      if (const auto closure = WhyClosed(block, output, facts_)) NoteAside(query, *closure);
    }
    for (const Unit& unit : block.units) {
      if (unit.kind == Unit::Kind::kQuery) Aside(*unit.query);
    }
    for (const Link* link : LinksIn(block)) Aside(*link->query);
  }

  void NoteAside(const Query& query, const Closure& closure) {
    if (closure.kind == Closure::Kind::kValue) return;
    for (const auto& table : TablesIn(query)) {
      limits.aside.emplace(table, RuleLimit{.form = RuleLimit::Form::kByQuery, .why = closure.why});
    }
  }

  void Note(const Query& query, const Closure& closure) {
    if (closure.kind == Closure::Kind::kValue) return;
    // All rows for each row outside are not all there are.
    const bool all = closure.kind == Closure::Kind::kAll && !IsCorrelated(query);
    const RuleLimit limit{
        .form = all ? RuleLimit::Form::kNone : RuleLimit::Form::kByQuery,
        .why = closure.why,
        .instead = all ? closure.instead : "",
    };
    for (const auto& table : TablesIn(query)) {
      RuleLimit& known = limits.on_the_way[table];
      if (known.form < limit.form) known = limit;
    }
  }

  vector<const Link*> LinksIn(const Block& block) const {
    vector<const Link*> found;
    for (const Json* each : ExpressionsOf(block)) {
      Visit(*each, [&](const Json& node) {
        if (Is(node, "Link")) found.push_back(&links_[Body(node)["id"].get<size_t>()]);
        return true;
      });
    }
    return found;
  }

  // The query's blocks, and those in them.
  vector<const Query*> QueriesIn(const Query& query) const {
    if (query.kind == Query::Kind::kRecursive) return {&query};
    vector<const Query*> all;
    const auto add = [&](const Query& inner) {
      for (const Query* each : QueriesIn(inner)) all.push_back(each);
    };
    if (query.kind != Query::Kind::kBlock) {
      add(*query.left);
      add(*query.right);
      return all;
    }
    all.push_back(&query);
    for (const Unit& unit : query.block.units) {
      if (unit.kind == Unit::Kind::kQuery) add(*unit.query);
    }
    for (const Link* link : LinksIn(query.block)) add(*link->query);
    return all;
  }

  set<RuleLimits::Table> TablesIn(const Query& query) const {
    set<RuleLimits::Table> tables;
    for (const Query* each : QueriesIn(query)) {
      tables.insert(each->tables.begin(), each->tables.end());
      for (const Unit& unit : each->block.units) {
        if (unit.kind == Unit::Kind::kTable) tables.emplace(unit.schema, unit.table);
      }
    }
    return tables;
  }

  // Whether it names what stands outside of it.
  bool IsCorrelated(const Query& query) const {
    set<string> own, named;
    for (const Query* each : QueriesIn(query)) {
      for (const Unit& unit : each->block.units) own.insert(unit.name);
      for (const Json* sql : ExpressionsOf(each->block)) named.merge(UnitsOf(*sql));
    }
    return !std::ranges::includes(own, named);
  }

  const vector<Link>& links_;
  const Facts& facts_;
};

}  // namespace

RuleLimits LimitsOf(const Query& query, const vector<size_t>& scope, const vector<Link>& links,
                    const Facts& facts) {
  Judge judge(links, facts);
  judge.OnTheWay(query, {scope.begin(), scope.end()});
  return std::move(judge.limits);
}

}  // namespace switchyard::mapping::derive
