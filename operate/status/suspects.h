// Tables of OLD that changed in a way the stream does not show: what capture wrote down of them
// there, as far as NEW has no copy of the table that is younger. One entry for each table.
//
//   ASSIGN_OR_RETURN(auto records, records::CaptureSuspects(*source, stream).Open());
//   RETURN_IF_ERROR(DropMended(*target, stream, &records));
//   facts.suspects = OnePerTable(records);
//
// That a copy is on the log mends nothing yet: it may wait, or be refused.
// Thread safety: functions over a session each, and a pure one.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/records/source/capture_suspects.h"
#include "operate/report/status.h"

namespace switchyard::operate {

// Those of which NEW has a copy as of `seen` or later, or that were compared since and are clean,
// but for tables that were renamed. Asks NEW for its copies, requests and comparisons.
absl::Status DropMended(pg::Session& target, const std::string& stream,
                        std::vector<records::OpenSuspect>* suspects);

// In the order of their first records.
std::vector<Suspect> OnePerTable(const std::vector<records::OpenSuspect>& records);

}  // namespace switchyard::operate
