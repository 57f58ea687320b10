// Which names a query gives to values that are computed from columns of certain names.
//
//   ASSIGN_OR_RETURN(Lineage lineage, FollowNames("SELECT lower(email) AS e FROM customers",
//   {"email"})); lineage.names == {"email", "e"}
//
// Told from the text alone, by names: one that is given to such a value anywhere in the query
// counts everywhere in it. So there may be too many, never too few. What a row was chosen or
// ordered by does not count, what a value was computed from does, in sub-queries too. Pure.
#pragma once

#include <set>
#include <string>

#include "common/base/status.h"

namespace switchyard::mapping {

struct Lineage {
  std::set<std::string> names;  // the given ones too
  bool all = false;             // it can't be told: any output may be
};

// `query` is a SELECT, VALUES or WITH. InvalidArgument with the parser's words.
absl::StatusOr<Lineage> FollowNames(const std::string& query, const std::set<std::string>& names);

// Whether an expression, sub-queries included, computes something from columns of these names.
absl::StatusOr<bool> ComputesFrom(const std::string& expression,
                                  const std::set<std::string>& names);

}  // namespace switchyard::mapping
