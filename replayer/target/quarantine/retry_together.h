// Entries of the quarantine that wait for each other across the row-local mappings of one table:
// rows that trade keys or unique values, each of which stands in another's way. By themselves
// none of them passes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "replayer/write/refusals.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

// What one mapping brings: in its stage, numbered by sy__ord.
struct TogetherPart {
  mapping::MappingIndex mapping;
  std::string saved;  // temporary table, unqualified: what its stage holds
  Numbers rows;       // numbers of its own
};

// Writes those that the table takes, whatever else stands in their way among them; gives the
// others. Leaves the stages empty.
absl::StatusOr<std::vector<Refusal>> WriteTogether(TableWriter& writer,
                                                   const std::vector<TogetherPart>& parts);

}  // namespace switchyard::replayer
