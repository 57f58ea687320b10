// Whether the target holds what was written to it, where its own triggers may have kept it from
// that (mapping/install/hindrances.h): each look is made before the commit, and is none where the
// table has no such trigger. What is not as written is a FailedPrecondition that names the trigger,
// the numbers and the way out.
//
//   RETURN_IF_ERROR(WriteChecked(stage, write, Gone::kNow, [&] { return ...; }));
//   ...
//   RETURN_IF_ERROR(CheckHindrances(stage, tables));     // right before COMMIT
//
// Thread safety: functions over a Stage, which is thread-compatible.
#pragma once

#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

// When rows go that are to go: with the others, or once nothing refers to them (ordered_writer.h).
enum class Gone { kNow, kLate };

// Staged rows that are to be changed and are not there; 0 where nobody has to know.
absl::StatusOr<int64_t> CountMissedBefore(Stage& stage, const mapping::TableWrite& write);
// `body` writes all that the stage holds by `write`. `missed`: of CountMissedBefore, before any of
// it was written.
absl::Status WriteChecked(Stage& stage, const mapping::TableWrite& write, Gone gone, int64_t missed,
                          absl::FunctionRef<absl::Status()> body);
// After a recompute, while its temporary tables are full.
absl::Status CheckComputed(Stage& stage, mapping::MappingIndex mapping, Gone gone);
// After TableWrite::load from a table (quoted), which has nothing but what was loaded.
absl::Status CheckLoaded(Stage& stage, const mapping::TableWrite& write, const std::string& load);
// The same after a swap, which took away what was not in it.
absl::Status CheckSwapped(Stage& stage, const mapping::TableWrite& write, const std::string& load,
                          Gone gone);
// After TableWrite::truncate.
absl::Status CheckCleared(Stage& stage, const mapping::TableWrite& write);
// After the rows noted to go (OrderedSql::leaving_table) went.
absl::Status CheckLeft(Stage& stage, mapping::MappingIndex mapping);

// Aborted: these tables of the target (MappingPlan::display) have other triggers or rules than when
// the stage looked; nothing may be committed. Start over.
absl::Status CheckHindrances(Stage& stage, const std::set<std::string>& tables);

}  // namespace switchyard::replayer
