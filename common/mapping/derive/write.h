// Look-ups as the SQL of a rule under `from`, and the indexes they would look by. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/derive/search.h"

namespace switchyard::mapping::derive {

// An expression over the columns of a table that a look-up, or a recompute, finds rows by.
struct IndexWish {
  std::string schema, table;  // schema empty for OLD's
  std::string sql;
  auto operator<=>(const IndexWish&) const = default;
};

struct RuleText {
  std::string touches;  // an expression, or a query
  std::set<IndexWish> wishes;
};

// `row_name`: what the rule calls the changed row. Look-ups that others cover are left out.
absl::StatusOr<RuleText> WriteRule(const std::vector<Lookup>& lookups, const Unit& row,
                                   const std::string& row_name);

}  // namespace switchyard::mapping::derive
