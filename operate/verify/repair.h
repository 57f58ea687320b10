// Asking the running roles to make good what a comparison found: a derived table's scopes are
// computed again, by way of the quarantine, which writes them like any other; tables that come from
// OLD's rows as they are, or one by one, are copied again.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/mapping/plan.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"
#include "common/records/proof/parity_results.h"
#include "common/records/stream/stream.h"

namespace switchyard::operate {

struct RepairInput {
  pg::Session& old_session;
  pg::Session& new_session;
  pg::ControlSession& control;  // of NEW
  const records::Stream& stream;
  const mapping::Plan& plan;
  const std::vector<records::ParityTable>& tables;  // as they were found
};

// A line for each thing that was asked for; of scopes, with the replayer's answer.
absl::StatusOr<std::vector<std::string>> Repair(const RepairInput& input, const Cancel& cancel);

}  // namespace switchyard::operate
