// Writes a mapping with mode: patch: of the rows of its touched scopes that which differs between
// the state before the transaction and now (common/mapping/sql/patch_sql.h).
//
// Never over what somebody else wrote: a row whose changed columns are neither as they were nor as
// they are to be is a conflict, a refused scope with SQLSTATE kConflict.
//
// Thread safety: functions over a Stage, which is thread-compatible.
#pragma once

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/mapping/plan_index.h"
#include "replayer/write/before_images.h"
#include "replayer/write/modes.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

// In the class of constraints that hold; none of Postgres' own.
inline constexpr char kConflict[] = "23Y01";

// As TableWriter::Recompute, where foreign keys are silent.
absl::Status PatchRows(Stage& stage, BeforeImages& before, mapping::MappingIndex mapping,
                       Manner manner, absl::FunctionRef<absl::Status(Moment moment)> readers);

}  // namespace switchyard::replayer
