#include "common/mapping/derive/candidate.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/derive/outputs.h"
#include "common/mapping/derive/simplify.h"

namespace switchyard::mapping::derive {

using std::string;
using std::vector;

namespace {

bool Has(const Path& path, int group) { return std::ranges::count(path, group) > 0; }

Path Joined(const Path& outer, const Path& inner) {
  Path path = outer;
  path.insert(path.end(), inner.begin(), inner.end());
  return path;
}

// Its columns are looked up until nothing changes: what replaces one may name another that left.
Json Replaced(const Json& sql, const std::map<ColumnName, Json>& columns) {
  return Rewrite(sql, [&](const Json& node) -> std::optional<Json> {
    const auto column = AsColumn(node);
    if (!column) return std::nullopt;
    const auto instead = columns.find(*column);
    if (instead != columns.end()) return Replaced(instead->second, columns);
    if (column->column != "*") return std::nullopt;
    // A whole row of a unit that left.
    const auto any = columns.lower_bound({.unit = column->unit, .column = ""});
    if (any == columns.end() || any->first.unit != column->unit) return std::nullopt;
    return Closed("a whole row of a sub-query is no expression to look it up by");
  });
}

// `unit` of `outer` gives way to what `inner` has.
void PourInto(const Unit& unit, const Candidate& inner, Candidate* outer) {
  std::erase_if(outer->units, [&](const Unit& each) { return each.name == unit.name; });
  for (Unit each : inner.units) {
    each.path = Joined(unit.path, each.path);
    outer->units.push_back(std::move(each));
  }
  for (Condition each : inner.conditions) {
    each.path = Joined(unit.path, each.path);
    outer->conditions.push_back(std::move(each));
  }
  std::map<ColumnName, Json> columns = inner.replaced;
  for (size_t i = 0; i < unit.columns.size() && i < inner.outputs.size(); ++i) {
    columns[{.unit = unit.name, .column = unit.columns[i]}] = inner.outputs[i];
  }
  outer->Replace(columns);
  if (outer->refused.empty()) outer->refused = inner.refused;
}

// Where a link stands decides what of it counts.
enum class Use { kTrueOrNot, kValue };

Use UseOf(const Json& sql, int link, Use use) {
  if (Is(sql, "Link")) return Body(sql)["id"] == link ? use : Use::kTrueOrNot;
  if (!sql.is_structured()) return Use::kTrueOrNot;
  const string kind = Kind(sql);
  const bool negates = kind == "BoolExpr" && Text(Body(sql), "boolop") == "NOT_EXPR";
  const bool passes = kind == "BoolExpr" && !negates;
  Use found = Use::kTrueOrNot;
  const auto look = [&](const Json& part, Use as) {
    if (UseOf(part, link, as) == Use::kValue) found = Use::kValue;
  };
  if (kind == "CaseExpr") {
    for (const Json& when : List(Body(sql), "args")) {
      look(Body(when)["expr"], Use::kTrueOrNot);
      look(Body(when)["result"], Use::kValue);
    }
    if (Body(sql).contains("defresult")) look(Body(sql)["defresult"], Use::kValue);
    return found;
  }
  if (kind == "FuncCall" && Body(sql).contains("agg_filter")) {
    for (const auto& [key, part] : Body(sql).items()) {
      look(part, key == "agg_filter" ? Use::kTrueOrNot : Use::kValue);
    }
    return found;
  }
  const Use inner = kind.empty() || passes ? use : Use::kValue;
  for (const Json& part : kind.empty() ? sql : Body(sql)) look(part, inner);
  return found;
}

class Finder {
 public:
  Finder(Builder* builder, const Facts& facts)
      : links_(builder->links()), facts_(facts), builder_(builder) {}

  vector<Occurrence> In(const Query& query) {
    switch (query.kind) {
      case Query::Kind::kBlock:
        return InBlock(query.block);
      case Query::Kind::kRecursive:
        return InRecursive(query);
      default:
        break;
    }
    vector<Occurrence> all = In(*query.left);
    for (Occurrence& each : In(*query.right)) all.push_back(std::move(each));
    if (!query.limited) return all;
    for (Occurrence& each : all) {
      for (size_t i = 0; i < each.candidate.outputs.size(); ++i) {
        Json& output = each.candidate.outputs[i];
        if (!IsConstant(output)) output = Closed(BelowLimit(query.columns[i]).why);
      }
    }
    return all;
  }

 private:
  static vector<Occurrence> InRecursive(const Query& query) {
    vector<Occurrence> all;
    for (const auto& [schema, table] : query.tables) {
      Occurrence one{.schema = schema, .table = table};
      one.candidate.refused =
          absl::StrCat(table, " is read by the recursive query ", query.name,
                       ": its rule names, for example, all that lie below the row, by a recursive "
                       "query of its own");
      one.candidate.outputs.resize(query.columns.size(), Closed(one.candidate.refused));
      all.push_back(std::move(one));
    }
    return all;
  }

  bool Changes(const Unit& unit) const {
    if (IsMapOfIds(unit)) return false;
    const auto& tables = unit.schema.empty() ? facts_.old_tables : facts_.new_tables;
    const auto facts =
        tables.find(unit.schema.empty() ? unit.table : unit.schema + "." + unit.table);
    return facts == tables.end() || !facts->second.fixed;
  }

  vector<Occurrence> InBlock(const Block& block) {
    const Candidate base{.units = block.units,
                         .conditions = block.conditions,
                         .outputs = OutputsOf(block, facts_, Row::kBelow)};
    vector<Occurrence> all;
    for (const Unit& unit : block.units) {
      if (IsMapOfIds(unit)) AddIds(unit, base, &all);
      if (unit.kind == Unit::Kind::kTable && Changes(unit)) {
        all.push_back({.schema = unit.schema, .table = unit.table, .candidate = base});
        all.back().candidate.row = unit.name;
      }
      for (const int link : LinksIn(unit.body)) {
        AddLink(link, {.sql = {{"Value", {{"of", unit.body}}}}}, base, unit.path, &all);
      }
      if (unit.kind != Unit::Kind::kQuery) continue;
      for (Occurrence& inner : In(*unit.query)) {
        Candidate poured = base;
        PourInto(unit, inner.candidate, &poured);
        poured.row = inner.candidate.row;
        inner.candidate = std::move(poured);
        all.push_back(std::move(inner));
      }
    }
    for (size_t i = 0; i < block.conditions.size(); ++i) {
      for (const int link : LinksIn(block.conditions[i].sql)) {
        Candidate without = base;
        without.conditions.erase(without.conditions.begin() + static_cast<ptrdiff_t>(i));
        AddLink(link, block.conditions[i], std::move(without), block.conditions[i].path, &all);
      }
    }
    for (const Output& output : block.outputs) {
      for (const int link : LinksIn(output.sql)) {
        AddLink(link, {.sql = {{"Value", {{"of", output.sql}}}}}, base, {}, &all);
      }
    }
    for (const Json& other : block.others) {
      for (const int link : LinksIn(other)) {
        AddLink(link, {.sql = {{"Value", {{"of", other}}}}}, base, {}, &all);
      }
    }
    return all;
  }

  static bool IsMapOfIds(const Unit& unit) {
    return unit.kind == Unit::Kind::kTable && unit.schema == "switchyard" && unit.table == "id_map";
  }

  // The pairs come from the rows of the tables that id rules name, and never go: a pair outlives
  // its row. So a changed row is one beside the pair it brought.
  void AddIds(const Unit& map, const Candidate& base, vector<Occurrence>* all) {
    for (const IdFacts& rule : facts_.ids) {
      const auto table = facts_.old_tables.find(rule.table);
      const auto old_id = ParseExpression(rule.old_id);
      if (table == facts_.old_tables.end() || table->second.fixed || !old_id.ok()) continue;
      Unit row{.name = builder_->NewUnit(), .alias = rule.table, .table = rule.table};
      row.path = map.path;
      for (const ColumnFacts& column : table->second.columns) row.columns.push_back(column.name);
      const Json value = Rewrite(*old_id, [&](const Json& node) -> std::optional<Json> {
        if (!Is(node, "ColumnRef")) return std::nullopt;
        return Column(row.name, NamePart(List(Body(node), "fields").back()));
      });
      const Json constant = {{"A_Const", {{"sval", {{"sval", rule.kind}}}}}};
      const Json kind = {
          {"TypeCast",
           {{"arg", constant}, {"typeName", {{"names", {Name("text")}}, {"typemod", -1}}}}}};
      Candidate one = base;
      one.row = row.name;
      one.units.push_back(row);
      if (!MeetsKind(one, map, kind)) continue;
      for (const auto& [column, is] : {std::pair("kind", kind), std::pair("old_id", value)}) {
        one.conditions.push_back({.sql = {{"A_Expr",
                                           {{"kind", "AEXPR_OP"},
                                            {"name", {Name("=")}},
                                            {"lexpr", Column(map.name, column)},
                                            {"rexpr", is}}}},
                                  .path = map.path});
      }
      all->push_back({.table = rule.table, .candidate = std::move(one)});
    }
  }

  // Whether the select looks at pairs of this kind at all.
  bool MeetsKind(Candidate candidate, const Unit& map, const Json& kind) const {
    candidate.Replace({{{.unit = map.name, .column = "kind"}, kind}});
    return Settle(&candidate, facts_) && candidate.Find(candidate.row) != nullptr;
  }

  static std::set<int> LinksIn(const Json& sql) {
    std::set<int> ids;
    Visit(sql, [&](const Json& node) {
      if (Is(node, "Link")) ids.insert(Body(node)["id"].get<int>());
      return true;
    });
    return ids;
  }

  // The tables a link looks into, each in a group of its own. `holder`: the condition it stands in.
  void AddLink(int id, const Condition& holder, Candidate base, const Path& path,
               vector<Occurrence>* all) {
    const Link& link = links_[id];
    Unit place{.name = builder_->NewUnit(), .path = path};
    place.path.push_back(builder_->NewGroup());
    for (Json& output : base.outputs) {
      if (LinksIn(output).contains(id)) {
        output = Closed("it is the value of a sub-query that asks for rows");
      }
    }
    AddOtherArms(holder, &base);
    for (Occurrence& inner : In(*link.query)) {
      Candidate poured = base;
      PourInto(place, inner.candidate, &poured);
      poured.row = inner.candidate.row;
      if (!inner.candidate.outputs.empty()) {
        AddTest(id, holder, inner.candidate.outputs[0], place.path, &poured);
      }
      inner.candidate = std::move(poured);
      all->push_back(std::move(inner));
    }
  }

  // In `p OR EXISTS (...)` the rows count only where p does not hold.
  static void AddOtherArms(const Condition& holder, Candidate* base) {
    if (!Is(holder.sql, "BoolExpr") || Text(Body(holder.sql), "boolop") != "OR_EXPR") return;
    for (const Json& arm : List(Body(holder.sql), "args")) {
      if (!LinksIn(arm).empty()) continue;
      base->conditions.push_back(
          {.sql = {{"BooleanTest", {{"arg", arm}, {"booltesttype", "IS_NOT_TRUE"}}}},
           .path = holder.path});
    }
  }

  // x IN (SELECT y ...) concerns the rows with x = y, as long as a NULL is no other answer.
  void AddTest(int id, const Condition& holder, const Json& value, const Path& path,
               Candidate* candidate) {
    const Link& link = links_[id];
    if (link.test.is_null()) return;
    const bool only_true = UseOf(holder.sql, id, Use::kTrueOrNot) == Use::kTrueOrNot;
    const bool in = link.kind == "ANY_SUBLINK" && link.equality;
    if (!only_true && (!NeverNull(*candidate, link.test) || !NeverNull(*candidate, value))) {
      candidate->refused =
          "what NOT IN or a compared sub-query reads may be NULL: then it is unknown for every "
          "row. Write NOT EXISTS";
      return;
    }
    if (!in) return;
    candidate->conditions.push_back({.sql = {{"A_Expr",
                                              {{"kind", "AEXPR_OP"},
                                               {"name", {Name("=")}},
                                               {"lexpr", link.test},
                                               {"rexpr", value}}}},
                                     .path = path});
    candidate->conditions.back().sql =
        Replaced(candidate->conditions.back().sql, candidate->replaced);
  }

  bool NeverNull(const Candidate& candidate, const Json& sql) const {
    if (IsConstant(sql)) return true;
    const auto column = AsColumn(sql);
    const Unit* unit = column ? candidate.Find(column->unit) : nullptr;
    if (unit == nullptr || unit->kind != Unit::Kind::kTable) return false;
    const auto& tables = unit->schema.empty() ? facts_.old_tables : facts_.new_tables;
    const auto facts =
        tables.find(unit->schema.empty() ? unit->table : unit->schema + "." + unit->table);
    if (facts == tables.end()) return false;
    return std::ranges::any_of(facts->second.columns, [&](const ColumnFacts& each) {
      return each.name == column->column && each.not_null;
    });
  }

  const vector<Link>& links_;
  const Facts& facts_;
  Builder* builder_;
};

}  // namespace

const Unit* Candidate::Find(const string& unit) const {
  for (const Unit& each : units) {
    if (each.name == unit) return &each;
  }
  return nullptr;
}

void Candidate::Replace(const std::map<ColumnName, Json>& columns) {
  replaced.insert(columns.begin(), columns.end());
  for (Condition& each : conditions) each.sql = Replaced(each.sql, replaced);
  for (Json& each : outputs) each = Replaced(each, replaced);
  for (Unit& each : units) {
    if (each.kind == Unit::Kind::kBody) each.body = Replaced(each.body, replaced);
  }
}

vector<Occurrence> OccurrencesIn(const Query& query, Builder* builder, const Facts& facts) {
  return Finder(builder, facts).In(query);
}

vector<const Block*> ArmsOf(const Query& query) {
  switch (query.kind) {
    case Query::Kind::kBlock:
      return {&query.block};
    case Query::Kind::kRecursive:
      return {};
    case Query::Kind::kUnion: {
      vector<const Block*> left = ArmsOf(*query.left);
      const vector<const Block*> right = ArmsOf(*query.right);
      if (left.empty() || right.empty()) return {};
      left.insert(left.end(), right.begin(), right.end());
      return left;
    }
    case Query::Kind::kExcept:
    case Query::Kind::kIntersect:
      break;
  }
  return ArmsOf(*query.left);
}

Candidate Pour(const Candidate& candidate, const Unit& unit, const Block& arm, const Facts& facts) {
  const Unit place = unit;
  Candidate inner{.units = arm.units,
                  .conditions = arm.conditions,
                  .outputs = OutputsOf(arm, facts, Row::kBeside)};
  // It may name units that have been poured since.
  inner.Replace(candidate.replaced);
  if (candidate.nobody && !Has(unit.path, *candidate.nobody)) {
    inner.Replace(candidate.nobody_columns);
    inner.replaced = candidate.replaced;
  }
  Candidate out = candidate;
  PourInto(place, inner, &out);
  return out;
}

namespace {

// Columns of the group's units, as NULL.
std::map<ColumnName, Json> Nulls(const Candidate& candidate, int group) {
  std::map<ColumnName, Json> nulls;
  for (const Unit& unit : candidate.units) {
    if (!Has(unit.path, group)) continue;
    for (const string& column : unit.columns) {
      nulls[{.unit = unit.name, .column = column}] = Null();
    }
    nulls[{.unit = unit.name, .column = "*"}] = Null();
  }
  return nulls;
}

}  // namespace

vector<Candidate> Levels(const Candidate& candidate) {
  vector<Candidate> levels;
  const Unit* row = candidate.Find(candidate.row);
  Candidate matched = candidate;
  if (row == nullptr) return {matched};  // refused
  const Path path = row->path;
  matched.matched.insert(path.begin(), path.end());
  levels.push_back(matched);
  for (const int group : path) {
    Candidate nobody = matched;
    const auto nulls = Nulls(candidate, group);
    nobody.nobody = group;
    nobody.nobody_columns = nulls;
    for (Condition& each : nobody.conditions) {
      if (!Has(each.path, group)) each.sql = Replaced(each.sql, nulls);
    }
    for (Json& output : nobody.outputs) output = Replaced(output, nulls);
    for (Unit& unit : nobody.units) {
      if (unit.kind == Unit::Kind::kBody && !Has(unit.path, group)) {
        unit.body = Replaced(unit.body, nulls);
      }
    }
    levels.push_back(std::move(nobody));
  }
  return levels;
}

Candidate WithNobody(const Candidate& candidate, int group) {
  Candidate out = candidate;
  const auto nulls = Nulls(candidate, group);
  std::erase_if(out.units, [&](const Unit& unit) { return Has(unit.path, group); });
  std::erase_if(out.conditions, [&](const Condition& each) { return Has(each.path, group); });
  out.Replace(nulls);
  return out;
}

bool Settle(Candidate* candidate, const Facts& facts) {
  while (true) {
    const auto never_null = [&](const ColumnName& column) {
      const Unit* unit = candidate->Find(column.unit);
      if (unit == nullptr || unit->kind != Unit::Kind::kTable) return false;
      for (const int group : unit->path) {
        if (!candidate->matched.contains(group)) return false;
      }
      const auto& tables = unit->schema.empty() ? facts.old_tables : facts.new_tables;
      const auto table =
          tables.find(unit->schema.empty() ? unit->table : unit->schema + "." + unit->table);
      return table != tables.end() &&
             std::ranges::any_of(table->second.columns, [&](const ColumnFacts& each) {
               return each.name == column.column && each.not_null;
             });
    };
    vector<Condition> conditions;
    std::optional<int> dead;
    for (Condition& each : candidate->conditions) {
      for (Json& part : Conjuncts(Simplify(each.sql, facts, never_null))) {
        const auto value = AsBool(part);
        if (value && *value) continue;
        if ((value && !*value) || IsNull(part)) {
          vector<int> open;
          std::ranges::copy_if(each.path, std::back_inserter(open),
                               [&](int group) { return !candidate->matched.contains(group); });
          if (open.empty()) return false;
          if (!each.both_sides || open.size() == 1) dead = open.back();
        }
        conditions.push_back(
            {.sql = std::move(part), .path = each.path, .both_sides = each.both_sides});
      }
    }
    const bool same = conditions == candidate->conditions;
    candidate->conditions = std::move(conditions);
    vector<Json> outputs;
    for (const Json& each : candidate->outputs) {
      outputs.push_back(Simplify(each, facts, never_null));
    }
    const bool done = same && outputs == candidate->outputs && !dead;
    candidate->outputs = std::move(outputs);
    if (done) return true;
    if (dead) *candidate = WithNobody(*candidate, *dead);
  }
}

}  // namespace switchyard::mapping::derive
