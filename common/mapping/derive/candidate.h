// One way in which a changed row of a table may reach the select's rows: the row itself, the units
// beside it, and what is known of the groups between them.
//
// Steps 1 to 3 of deriving: the places where a table stands, with the queries around it poured into
// one; the cases in which the row is matched, and those in which its group is not; and what follows
// for the other expressions. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

struct Candidate {
  std::vector<Unit> units;
  std::vector<Condition> conditions;
  std::vector<Json> outputs;
  std::string row;  // the unit of the changed row
  std::set<int> matched;
  // Of units that are gone: what their columns became.
  std::map<ColumnName, Json> replaced;
  // The group of the row that counts as not matched, and its columns as all else sees them.
  std::optional<int> nobody;
  std::map<ColumnName, Json> nobody_columns;
  // Where it can't be worked out, why.
  std::string refused;

  const Unit* Find(const std::string& unit) const;
  // The same with every column in `replaced` put in its place, in all expressions.
  void Replace(const std::map<ColumnName, Json>& columns);
};

// A table that a select reads, at one of the places where it stands.
struct Occurrence {
  std::string schema, table;  // schema empty for OLD's
  Candidate candidate;
};

// Every place where a table stands that may change. Recursive queries' tables come refused.
std::vector<Occurrence> OccurrencesIn(const Query& query, Builder* builder, const Facts& facts);

// The cases of it: its row matched, and each group around it not.
std::vector<Candidate> Levels(const Candidate& candidate);

// `group` was not matched: its units leave, their columns become NULL, its conditions go.
Candidate WithNobody(const Candidate& candidate, int group);

// Puts the rows of `unit`, a query, in its place; `arm` a block of it.
Candidate Pour(const Candidate& candidate, const Unit& unit, const Block& arm, const Facts& facts);
// The blocks that a query's rows come from; nothing for recursive ones.
std::vector<const Block*> ArmsOf(const Query& query);

// Whether anything is left of it once what is certain is drawn from it.
bool Settle(Candidate* candidate, const Facts& facts);

}  // namespace switchyard::mapping::derive
