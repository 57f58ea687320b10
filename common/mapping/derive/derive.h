// Which scopes of a select a changed row of each of its tables touches, told from the select alone.
//
//   ASSIGN_OR_RETURN(Derivation derived, Derive(view_definition, {"email"}, scope_columns, facts));
//   for (const DerivedRule& rule : derived.rules) ...  // customers: lower(email)
//
// A rule is sound: evaluated over a table's changed rows as they were and as they are, it gives
// every scope whose rows differ. It may give more, which costs a recompute. No rule keeps a
// negative condition: two blockers that go in one batch would each hide behind the other. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/derive/facts.h"
#include "common/mapping/derive/shape.h"
#include "common/mapping/derive/write.h"

namespace switchyard::mapping::derive {

struct DerivedRule {
  std::string schema, table;  // schema empty for OLD's
  std::string touches;        // as under `from`: SQL over the changed row
  std::set<IndexWish> wishes;
};

// A table that no rule could be told for, and what of one written by hand.
struct Underivable {
  std::string schema, table;
  std::string why;  // one line
  RuleLimit limit;
};

struct Derivation {
  std::vector<DerivedRule> rules;
  std::vector<Underivable> refused;
  std::vector<std::string> ties;   // ties.h
  std::vector<std::string> nulls;  // scopes that may be NULL, as sentences
};

// The functions that a select calls, by name: what Derive wants to know of them.
absl::StatusOr<std::set<std::string>> FunctionsCalled(const std::string& select);

// `select`: as pg_get_viewdef() prints a view of it, made with nothing but pg_catalog in the search
// path. `scope`: columns of the target, in order. InvalidArgument where the select can't be read.
absl::StatusOr<Derivation> Derive(const std::string& select, const std::vector<ColumnFacts>& scope,
                                  const Facts& facts);

}  // namespace switchyard::mapping::derive
