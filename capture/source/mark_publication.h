// Whether the publication of a stream has switchyard.mark as it must: without it nobody could tell
// what Switchyard writes on the source from what the application does; and, where the other stream
// runs, too, the table that says from where on a side is the application's. Asked at start, by
// `check`, and every few seconds while streaming.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <vector>

#include "capture/source/source_setup.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

// Empty: as it must be, or there is no such publication at all, which is told elsewhere. Waits for
// no lock on a table.
absl::StatusOr<std::vector<SourceFault>> FindMarkFaults(pg::Session& session,
                                                        const records::Stream& stream);

}  // namespace switchyard::capture
