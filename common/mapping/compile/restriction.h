// Whether a batch can be applied by index: no recompute of a few scopes may have to read a big
// table from end to end. Internal to the compiler.
//
// The mirror does not exist before the mapping is installed, so the stand-ins get the keys and
// indexes the mirror will have, and the database says (EXPLAIN, with sequential scans discouraged)
// how it would find the rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/compile/compilation.h"

namespace switchyard::mapping {

// Tables of fewer rows may be scanned by every batch.
inline constexpr int64_t kScannedRowsMax = 10'000;

// A table that a plan reads whole, and the condition it can't look up by.
struct WholeScan {
  std::string schema, table;
  std::string condition;   // as EXPLAIN prints it; empty when there is none
  std::string expression;  // its side that an index would serve; empty when there is none
};

// Of the output of EXPLAIN (FORMAT JSON, VERBOSE). Index scans without a condition count too.
absl::StatusOr<std::vector<WholeScan>> WholeScans(std::string_view explain_json);

// Adds a fault for each keyed mapping, and each rule under `from`, that scans a big table. The
// probe has the stand-ins; `plan` is of this compilation, without faults.
absl::Status CheckRestrictions(Compilation* compilation, const Plan& plan);

}  // namespace switchyard::mapping
