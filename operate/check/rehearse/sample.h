// A few rows of each table of OLD, as text: what made-up rows take their values from. One bounded
// read of each table, in a read-only transaction.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "operate/check/rehearse/made_rows.h"

namespace switchyard::operate {

struct Sample {
  std::vector<std::vector<Row>> rows;  // by source; SourcePlan::columns
  // Tables that could not be read in time, or at all, and why.
  std::vector<std::string> notes;
};

// Values longer than a few hundred bytes are left out. An error only when OLD is lost.
absl::StatusOr<Sample> ReadSample(const mapping::Plan& plan, const catalog::Catalog& source,
                                  pg::Session& old_session);

}  // namespace switchyard::operate
