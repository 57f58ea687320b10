// Notes which scopes of the keyed mappings a batch touches, by their rules under `from`, in the
// temporary tables the plan names; and which mappings have any.
//
// Thread-compatible. The writer must outlive it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/changes/batch.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

class TouchedScopes {
 public:
  explicit TouchedScopes(TableWriter& writer) : writer_(writer), stage_(writer.stage()) {}

  // What the changed rows of a staged batch touch: as they were (to be called before they are
  // written) or as they are now. Nothing, in mappings that read none of what they changed.
  absl::Status ByBatch(const changes::Batch& batch, Moment moment);
  absl::Status ByBatchOf(const changes::Batch& batch, mapping::MappingIndex mapping, Moment moment);
  // What the rows that the mapping `upstream` just changed touch in those that read its table;
  // or all of its rows.
  absl::Status ByUpstream(mapping::MappingIndex upstream, Moment moment, Breadth breadth);
  // Every scope that the mapping has, or would have by all the rows it reads.
  absl::Status Whole(mapping::MappingIndex mapping);
  // Whole, for each mapping that reads the source, or a table of NEW made from it alone.
  absl::Status WholeOfReaders(mapping::SourceIndex source);
  // Whole, for each keyed mapping of these tables of the target (schema.name).
  absl::Status WholeOf(const std::vector<std::string>& tables);

  // Nothing is noted: what is derived will be derived whole.
  void Pause(bool paused) { paused_ = paused; }

  bool contains(mapping::MappingIndex mapping) const { return mappings_.contains(mapping); }
  void Clear() { mappings_.clear(); }

 private:
  TableWriter& writer_;
  Stage& stage_;
  std::set<mapping::MappingIndex> mappings_;
  bool paused_ = false;
};

}  // namespace switchyard::replayer
