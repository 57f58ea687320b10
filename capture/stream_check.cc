#include "capture/stream_check.h"

#include "absl/strings/str_format.h"
#include "capture/capture.h"
#include "common/base/strings.h"

namespace switchyard::capture {
namespace {

absl::Status Lost(const records::Stream& stream, std::string_view what) {
  return absl::DataLossError(absl::StrCat(Sv(what), "; next: ", HowToBeginAnew(stream)));
}

}  // namespace

absl::Status CheckHistory(const records::Stream& stream, const StreamRecord& record,
                          const catalog::Catalog& catalog) {
  if (record.system_identifier != catalog.system_identifier) {
    return Lost(stream,
                absl::StrFormat("the source is another cluster (system identifier %d, the stream "
                                "was begun on %d): its write-ahead log is not the one captured",
                                catalog.system_identifier, record.system_identifier));
  }
  if (record.timeline != catalog.timeline) {
    return Lost(stream,
                absl::StrFormat("the source is on timeline %d, the stream was begun on %d: after a "
                                "failover or a restore some of what was captured may never have "
                                "been, or be missing",
                                catalog.timeline, record.timeline));
  }
  return absl::OkStatus();
}

absl::Status CheckSlot(const records::Stream& stream, const std::optional<SlotState>& slot,
                       const catalog::Catalog& catalog) {
  if (!slot.has_value()) {
    return Lost(stream, absl::StrFormat("replication slot %s is gone: it was dropped, or did not "
                                        "survive a failover",
                                        stream.slot));
  }
  if (!slot->logical_pgoutput || slot->two_phase || slot->database != catalog.database) {
    return Lost(stream, absl::StrFormat("replication slot %s is not the one capture made (a "
                                        "single-phase pgoutput slot of database %s)",
                                        stream.slot, catalog.database));
  }
  if (!slot->invalidation.empty()) {
    return Lost(stream,
                absl::StrFormat("replication slot %s was invalidated (%s): the WAL it "
                                "needs from %s on is removed",
                                stream.slot, slot->invalidation, slot->confirmed_flush.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::capture
