// A compiled plan whose every statement reads and writes temporary tables: NEW's tables, the views
// and the map of ids are moved there. Mirrors are there already where the stream it was compiled
// for says so (RehearsalStream). Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/mapping/sql_analysis.h"
#include "common/records/stream/stream.h"

namespace switchyard::operate {

// The stream with its mirror in pg_temp, under names that no role uses.
records::Stream RehearsalStream(records::Stream stream);

struct TemporaryPlan {
  mapping::Plan plan;
  // To be run in this order. Of NEW's tables copies with their types, without rows or constraints.
  std::vector<std::string> tables;   // NEW's, the mirrors
  std::vector<std::string> views;    // over them
  std::vector<std::string> targets;  // by mapping: the table it fills, unquoted, in pg_temp
  // Where each relation went.
  std::map<mapping::SqlName, std::string> moved;
};

// `plan`: compiled for a RehearsalStream. InvalidArgument: a statement that the parser can't read.
absl::StatusOr<TemporaryPlan> MoveIntoTemp(mapping::Plan plan);

}  // namespace switchyard::operate
