// Whether a stream that was begun can go on where it stands: asked at every start, and by `check`.
//
// DataLoss with the next step: changes are lost, or may be.
#pragma once

#include <optional>

#include "capture/publish/log_coverage.h"
#include "capture/source/source_setup.h"
#include "capture/source/source_state.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/replication/timeline.h"
#include "common/records/source/capture_streams.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

// The source is the cluster that the stream was begun on, and on its timeline; or on a later one,
// and the slot came along by failover: then CheckFork tells.
absl::Status CheckHistory(const records::Stream& stream, const records::CaptureStream& record,
                          const catalog::Catalog& catalog, const std::optional<SlotState>& slot);
// Where the timeline of the stream ended, and the source went on on its present one. `ends`: of the
// present one.
absl::StatusOr<Lsn> FindFork(const records::Stream& stream, const records::CaptureStream& record,
                             const catalog::Catalog& catalog, const pg::TimelineEnds& ends);
// All that is on the log was committed before the fork.
absl::Status CheckFork(const records::Stream& stream, const records::CaptureStream& record,
                       const catalog::Catalog& catalog, Lsn fork, const LogCoverage& coverage);
// The slot is there, the stream's own, and still has the WAL it needs.
absl::Status CheckSlot(const records::Stream& stream, const std::optional<SlotState>& slot,
                       const catalog::Catalog& catalog);

}  // namespace switchyard::capture
