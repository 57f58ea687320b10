#include "common/mapping/derive/derive.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/strings.h"
#include "common/mapping/derive/blocks.h"
#include "common/mapping/derive/candidate.h"
#include "common/mapping/derive/nulls.h"
#include "common/mapping/derive/search.h"
#include "common/mapping/derive/ties.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::mapping::derive {

using std::string;
using std::vector;

absl::StatusOr<std::set<string>> FunctionsCalled(const string& select) {
  ASSIGN_OR_RETURN(const Json tree, ParseSelect(select));
  std::set<string> names;
  Visit(tree, [&](const Json& node) {
    if (Is(node, "FuncCall")) names.insert(Qualified(List(Body(node), "funcname")).first);
    return true;
  });
  return names;
}

namespace {

void LimitRule(const RuleLimits& limits, bool unconnected, Underivable* table) {
  const RuleLimits::Table name(table->schema, table->table);
  const auto on_the_way = limits.on_the_way.find(name);
  const auto aside = limits.aside.find(name);
  if (on_the_way != limits.on_the_way.end()) {
    table->limit = on_the_way->second;
  } else if (unconnected && aside != limits.aside.end()) {
    table->limit = aside->second;
    table->why = absl::StrCat(aside->second.why, ", and nothing else leads from a row of ",
                              table->table, " to the scope");
  }
}

}  // namespace

absl::StatusOr<Derivation> Derive(const string& select, const vector<ColumnFacts>& scope,
                                  const Facts& facts) {
  ASSIGN_OR_RETURN(const Json tree, ParseSelect(select));
  Builder builder(facts);
  ASSIGN_OR_RETURN(const QueryPtr query, builder.Build(tree));
  vector<ScopeColumn> columns;
  for (const ColumnFacts& each : scope) {
    const auto at = std::ranges::find(query->columns, each.name);
    if (at == query->columns.end()) {
      return absl::InvalidArgumentError("the select has no column " + each.name);
    }
    columns.push_back({.output = static_cast<size_t>(at - query->columns.begin()), .facts = each});
  }
  vector<size_t> outputs;
  for (const ScopeColumn& each : columns) outputs.push_back(each.output);
  struct Table {
    Unit row;
    vector<Lookup> lookups;
    string refused;
    bool unconnected = false;
  };
  vector<std::pair<std::pair<string, string>, Table>> tables;
  for (const Occurrence& each : OccurrencesIn(*query, &builder, facts)) {
    const std::pair name(each.schema, each.table);
    auto table = std::ranges::find(tables, name, [](const auto& entry) { return entry.first; });
    if (table == tables.end()) {
      tables.push_back({name, {}});
      table = tables.end() - 1;
    }
    Table& entry = table->second;
    if (const Unit* row = each.candidate.Find(each.candidate.row)) entry.row = *row;
    for (const Candidate& level : Levels(each.candidate)) {
      absl::StatusOr<vector<Lookup>> found = Search(level, columns, facts);
      if (!found.ok()) {
        if (entry.refused.empty()) entry.refused = string(found.status().message());
        entry.unconnected |= absl::IsNotFound(found.status());
        break;
      }
      for (Lookup& lookup : *found) entry.lookups.push_back(std::move(lookup));
    }
  }
  const RuleLimits limits = LimitsOf(*query, outputs, builder.links(), facts);
  Derivation derivation{.ties = TiesIn(*query, builder.links(), facts)};
  for (const ScopeColumn& each : columns) {
    const auto null = MayBeNull(*query, each.output, facts);
    if (!null) continue;
    derivation.nulls.push_back(absl::StrCat(
        "scope ", each.facts.name, " is NULL where ", *null,
        " is: a row without scope stops the copy, and is passed over in the stream. Leave it out: "
        "WHERE ",
        *null, " IS NOT NULL"));
  }
  for (auto& [name, table] : tables) {
    if (table.refused.empty() && table.lookups.empty()) {
      table.refused = "no row of it can reach the scope: leave it out of the select";
    }
    if (!table.refused.empty()) {
      derivation.refused.push_back(
          {.schema = name.first, .table = name.second, .why = table.refused});
      LimitRule(limits, table.unconnected, &derivation.refused.back());
      continue;
    }
    ASSIGN_OR_RETURN(RuleText text, WriteRule(table.lookups, table.row, name.second));
    derivation.rules.push_back({.schema = name.first,
                                .table = name.second,
                                .touches = std::move(text.touches),
                                .wishes = std::move(text.wishes)});
  }
  return derivation;
}

}  // namespace switchyard::mapping::derive
