// Which columns of OLD a mapping compares with each other, and with constants: told loosely from
// the parse trees of its select and rules, to make values up that meet. What is not understood is
// left out. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::operate {

// An expression over one column of OLD.
struct Side {
  mapping::SourceIndex source;
  int column = 0;   // SourcePlan::columns
  std::string sql;  // over the column, called by its bare name
  auto operator<=>(const Side&) const = default;
};

struct MeetingValues {
  // Expressions that are compared with each other, or that give values of one scope.
  std::vector<std::vector<Side>> classes;
  // Conditions with constants over one column.
  std::set<Side> conditions;
  // Constants in them, by the column they were compared with: texts, and numbers with those beside.
  std::set<Side> constants;
};

MeetingValues FindMeetingValues(const mapping::Plan& plan);

}  // namespace switchyard::operate
