// What the select of a mapping with mode: patch gave for the touched scopes before the transaction
// began (mapping/plan.h, PatchPlan).
//
// Thread-compatible.
#pragma once

#include "common/base/status.h"
#include "common/mapping/plan_index.h"

namespace switchyard::replayer {

class BeforeImages {
 public:
  virtual ~BeforeImages() = default;
  // The rows of the mapping's touched scopes, into PatchPlan::before_table, which is empty.
  virtual absl::Status Fill(mapping::MappingIndex mapping) = 0;
  // They were written as `compute` gave them: should the same transaction recompute one of them
  // once more, this is how it was.
  virtual absl::Status NoteWritten(mapping::MappingIndex mapping) = 0;
};

}  // namespace switchyard::replayer
