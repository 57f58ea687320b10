// The look-ups that the rules of a plan are made of (the arms of their UNION ALL), and the plan's
// statements without one of them: to see whether anybody would notice.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"

namespace switchyard::operate {

struct RuleArm {
  mapping::MappingIndex mapping;
  std::string table;  // whose changed rows it is over: of OLD, or of NEW with its schema
  std::string sql;    // as under `from`
  bool declared = false;
  std::set<mapping::SourceIndex> sources;           // of OLD, whose changes may bring it about
  std::set<mapping::MappingIndex> upstream;         // that fill the table, where it is NEW's
  std::vector<mapping::TouchRule> touches_without;  // of the mapping, for its KeyedPlan
};

// Of all rules, in their order.
absl::StatusOr<std::vector<RuleArm>> ArmsOf(const mapping::Plan& plan);

// Tables of OLD that a mapping reads, by way of other mappings, too.
void AddReads(const mapping::Plan& plan, const mapping::MappingPlan& mapping,
              std::set<mapping::SourceIndex>* reads);

}  // namespace switchyard::operate
