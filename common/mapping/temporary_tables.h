// The tables that a session which applies changes makes for itself. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::mapping {

// Of one source or one mapping, or all of them.
struct TemporaryTables {
  std::vector<std::string> ddl;  // CREATE statements
  std::vector<std::string>
      names;  // with those that are made like one of them where they are needed
};
TemporaryTables TemporaryTablesOf(const SourcePlan& source);
TemporaryTables TemporaryTablesOf(const MappingPlan& mapping);
TemporaryTables TemporaryTablesOf(const Plan& plan);

}  // namespace switchyard::mapping
