// How NEW will be written, and what that means for its foreign keys and triggers.
#pragma once

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "operate/report/check_report.h"

namespace switchyard::operate {

// For the session's role: with triggers and foreign keys silent, which they are; or in the order
// of the foreign keys, which order, what fires, and what can't be written that way (faults).
absl::Status CheckWriteMode(const mapping::Plan& plan, pg::Session& session,
                            operate::CheckReport* report);

}  // namespace switchyard::operate
