// A select with every name resolved: its units, groups, conditions and outputs.
//
//   Builder builder(facts);
//   ASSIGN_OR_RETURN(QueryPtr query, builder.Build(select));
//
// A unit is what stands in FROM: a table, a function, VALUES, or a query of its own. Units have
// names that are unique in everything one Builder made ("u7"), and a column is (unit, column). An
// outer join makes a group of its nullable side, a full join one of each; sub-queries that only ask
// whether there are rows become links, which stay in their expression until somebody looks into
// them. Pure.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/derive/facts.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::mapping::derive {

struct Query;
using QueryPtr = std::shared_ptr<const Query>;
// Groups from the outermost in.
using Path = std::vector<int>;

struct Unit {
  enum class Kind { kTable, kBody, kQuery };
  std::string name;   // unique
  std::string alias;  // as the select has it; for people
  Kind kind = Kind::kTable;
  std::string schema, table;         // kTable: schema empty for OLD's
  Json body;                         // kBody: RangeFunction or RangeSubselect over VALUES, resolved
  QueryPtr query;                    // kQuery
  std::vector<std::string> columns;  // kBody and kQuery
  Path path;
};

// A conjunct of WHERE or ON, and the groups that must be matched for it to hold.
struct Condition {
  Json sql;
  Path path;
  // Of a full join, where neither side must be there for the other's sake.
  bool both_sides = false;
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct Output {
  std::string name;
  Json sql;
};

// EXISTS, IN, ANY, ALL and ARRAY over a query.
struct Link {
  std::string kind;  // EXISTS_SUBLINK ...
  QueryPtr query;
  Json test;      // left of IN, resolved; null where there is none
  bool equality;  // the operator between both is "="
};

struct Block {
  std::vector<Unit> units;
  std::vector<Condition> conditions;
  std::vector<Output> outputs;
  // What else it names: HAVING, ORDER BY, windows.
  std::vector<Json> others;

  bool grouped = false;        // GROUP BY
  bool grouping_sets = false;  // ROLLUP and its like
  std::vector<Json> group_by;  // of grouping sets: what all of them have
  bool aggregates = false;
  bool limited = false;                          // LIMIT or OFFSET that may leave rows out
  std::vector<std::vector<Json>> partitions;     // of each window
  std::optional<std::vector<Json>> distinct_on;  // DISTINCT ON
  bool distinct = false;                         // DISTINCT
  std::vector<Json> order_by;
  std::map<std::string, Json> windows;  // of the WINDOW clause: WindowDef
};

struct Query {
  enum class Kind { kBlock, kUnion, kExcept, kIntersect, kRecursive };
  Kind kind = Kind::kBlock;
  Block block;
  QueryPtr left, right;                                     // set operations
  bool limited = false;                                     // of a set operation
  bool distinct = false;                                    // of a set operation: without ALL
  std::vector<std::string> columns;                         // its outputs' names
  std::string name;                                         // kRecursive: of the WITH query
  std::vector<std::pair<std::string, std::string>> tables;  // kRecursive: (schema, name) it reads
};

class Builder {
 public:
  explicit Builder(const Facts& facts) : facts_(facts) {}

  // InvalidArgument where a name can't be resolved, or a construct is not known.
  absl::StatusOr<QueryPtr> Build(const Json& select);
  // {"Link": {"id": n}} stands in an expression for links()[n].
  const std::vector<Link>& links() const { return links_; }
  std::string NewUnit() { return "u" + std::to_string(++units_); }
  int NewGroup() { return ++groups_; }

 private:
  struct Names;
  struct Place;
  struct Shown;
  friend class BlockBuilder;

  absl::StatusOr<QueryPtr> BuildQuery(const Json& select, const Names& names);

  const Facts& facts_;
  std::vector<Link> links_;
  int units_ = 0;
  int groups_ = 0;
};

}  // namespace switchyard::mapping::derive
