// Whether a stream that was begun can go on where it stands: asked at every start, and by `check`.
//
// DataLoss with the next step: changes are lost, or may be.
#pragma once

#include <optional>

#include "capture/source_setup.h"
#include "capture/source_state.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/records/stream.h"

namespace switchyard::capture {

// The source is the cluster, and on the timeline, that the stream was begun on.
absl::Status CheckHistory(const records::Stream& stream, const StreamRecord& record,
                          const catalog::Catalog& catalog);
// The slot is there, the stream's own, and still has the WAL it needs.
absl::Status CheckSlot(const records::Stream& stream, const std::optional<SlotState>& slot,
                       const catalog::Catalog& catalog);

}  // namespace switchyard::capture
