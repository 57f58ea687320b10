// What a rule of a table can be at all, by the shape of the select: a property of the select, so
// it holds of rules that people write, too. Pure.
//
// Where a block combines rows, a changed row changes others: those that share its group or its
// partition, or all of them. What an expression over the changed row says names none of these; a
// query that looks for them may. And where it is all of them, nothing is left that a rule could
// say.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

struct RuleLimit {
  enum class Form {
    kAny,      // an expression, or a query
    kByQuery,  // one that looks at other rows
    kNone,     // no rule is right
  };
  Form form = Form::kAny;
  std::string why;      // one line
  std::string instead;  // kNone: what would do, as a sentence's beginning
};

struct RuleLimits {
  using Table = std::pair<std::string, std::string>;  // schema (empty for OLD's), name
  // Of tables that stand below what combines the rows that `scope` comes from.
  std::map<Table, RuleLimit> on_the_way;
  // Of tables that stand below what combines rows elsewhere. These count where nothing leads from
  // the table to the scope.
  std::map<Table, RuleLimit> aside;
};

// `scope`: which outputs of the query it is. Tables that may have any rule are left out.
RuleLimits LimitsOf(const Query& query, const std::vector<size_t>& scope,
                    const std::vector<Link>& links, const Facts& facts);

}  // namespace switchyard::mapping::derive
