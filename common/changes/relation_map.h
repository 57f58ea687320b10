// The tables of the log, as its Relation events describe them, matched to the plan's sources.
//
// Thread-compatible. The plan must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/changes/row_event.h"
#include "common/mapping/plan.h"
#include "proto/event.pb.h"

namespace switchyard::changes {

// Whether rows of this shape can be read as the plan's source. FailedPrecondition: a column is
// gone, is another one under the same name, or has another type; one of more digits would be
// rounded without a word.
absl::Status Fits(const mapping::SourcePlan& source, const event::v1::Relation& relation);
// Whether its changes name the rows by the plan's key. FailedPrecondition: the replica identity
// does not hold all of it.
absl::Status Identifies(const mapping::SourcePlan& source, const event::v1::Relation& relation);

class RelationMap {
 public:
  // Which columns of a table of the log feed which of the plan's.
  struct Relation {
    mapping::SourceIndex source;   // none: not mapped
    std::vector<int> tuple_index;  // per SourcePlan column: place in the tuple
    int tuple_size = 0;
    absl::Status fit;  // why its rows can't be read any more
  };

  explicit RelationMap(const mapping::Plan& plan) : plan_(plan) {}

  // A later description of a relation replaces the one before.
  void Learn(const event::v1::Relation& relation);
  // Null: never described.
  const Relation* Find(uint32_t relation_id) const;
  // The tuple's values by SourcePlan column, copied into `arena`; adds the memory they take to
  // `bytes`. DataLoss: not a tuple of this relation. FailedPrecondition: it leaves out a value that
  // no change left out when the plan was made.
  absl::StatusOr<Value*> CopyTuple(const Relation& relation, const TupleView& tuple, Arena* arena,
                                   int64_t* bytes);

 private:
  mapping::SourceIndex SourceOf(const event::v1::Relation& relation) const;

  const mapping::Plan& plan_;
  std::map<uint32_t, Relation> relations_;
  std::vector<int> places_;  // reused from one tuple to the next
};

}  // namespace switchyard::changes
