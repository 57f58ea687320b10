// SQL of what an entry of the quarantine keeps of a row: jsonb of each column's name and text. The
// row is one of a stage, known as sy_s.
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::replayer {

// The identity before the change, and after it.
std::string OldKeyJson(const mapping::SourcePlan& source);
std::string NewKeyJson(const mapping::SourcePlan& source);
// The row, without the values that were not sent.
std::string ImageJson(const mapping::SourcePlan& source);
// An array of all rows of `table` (quoted, or a query in brackets).
std::string RowsJson(const std::vector<std::string>& columns, const std::string& table);
// The row as the mirror has it, known as sy_t.
std::string MirrorJson(const mapping::SourcePlan& source);

}  // namespace switchyard::replayer
