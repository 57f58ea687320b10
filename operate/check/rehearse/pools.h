// The values that made-up rows have: a few of OLD's for each column, and what meets those of other
// columns where the mapping compares them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "operate/check/rehearse/constraints.h"
#include "operate/check/rehearse/made_rows.h"
#include "operate/check/rehearse/meeting_values.h"
#include "operate/check/rehearse/sample.h"

namespace switchyard::operate {

struct PoolInput {
  const mapping::Plan* plan = nullptr;
  const catalog::Catalog* source = nullptr;
  const Sample* sample = nullptr;
  const MeetingValues* meeting = nullptr;
  const Constraints* constraints = nullptr;
  uint64_t seed = 0;
};

// Expressions are evaluated in `session`, whose transaction has the types of the plan's columns.
// FailedPrecondition names a column for which there is no value.
absl::StatusOr<Pools> MakePools(const PoolInput& input, pg::Session& session);

}  // namespace switchyard::operate
