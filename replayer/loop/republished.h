// A broker may lose the end of a change topic that readers had already, and of which it had told no
// writer that it has it. Nothing is lost by that: the source still has those transactions, and
// capture publishes them again under its next epoch, at offsets that were in use before. A reader
// that stands behind the Hello of that epoch goes back to it, and skips what it has applied.
//
//   if (absl::IsDataLoss(status)) {
//     ASSIGN_OR_RETURN(int64_t offset, FindRepublished(log, topic, position, status, cancel));
//   }
//
// What capture had been told is on the log, and is no longer, is lost: then that Hello begins
// behind what was read (changes/batcher.h), or capture refuses to begin.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/records/stream/position.h"

namespace switchyard::replayer {

// The offset, below `position`, of the first Hello of a newer epoch. Reads all that the topic keeps
// below it. Unavailable: the topic ends before the position, and that Hello is still to come; or
// the log can't be reached. Cancelled. `lost`, in all other cases.
absl::StatusOr<int64_t> FindRepublished(eventlog::EventLog& log, const std::string& topic,
                                        const records::Position& position, const absl::Status& lost,
                                        const Cancel& cancel);

}  // namespace switchyard::replayer
