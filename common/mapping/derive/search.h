// From a candidate to queries that find the scopes a changed row touches.
//
// Steps 4 to 7 of deriving: the conditions that may be used, what is equal by them, the smallest
// set of units that leads from the row to the scope, and the cases of what is still open in that
// set. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/derive/candidate.h"

namespace switchyard::mapping::derive {

// SELECT values FROM units WHERE conditions; `row` is the changed row, which stands in no FROM.
struct Lookup {
  std::string row;
  std::vector<Json> values;
  std::vector<Unit> units;
  std::vector<Json> conditions;
};

struct ScopeColumn {
  size_t output;  // which output of the select it is
  ColumnFacts facts;
};

// What keeps the scope from being found, in one line: NotFound where nothing leads there from the
// row, else Unimplemented. May be empty: the row touches nothing in this case.
absl::StatusOr<std::vector<Lookup>> Search(const Candidate& candidate,
                                           const std::vector<ScopeColumn>& scope,
                                           const Facts& facts);

}  // namespace switchyard::mapping::derive
