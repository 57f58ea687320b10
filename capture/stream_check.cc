#include "capture/stream_check.h"

#include "absl/strings/str_format.h"
#include "capture/capture.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/source/capture_streams.h"

namespace switchyard::capture {
namespace {

absl::Status StreamLost(const records::Stream& stream, std::string_view what) {
  return Lost(what, HowToBeginAnew(stream));
}

}  // namespace

absl::Status CheckHistory(const records::Stream& stream, const records::CaptureStream& record,
                          const catalog::Catalog& catalog, const std::optional<SlotState>& slot) {
  if (record.system_identifier != catalog.system_identifier) {
    return StreamLost(
        stream, absl::StrFormat("the source is another cluster (system identifier %d, the stream "
                                "was begun on %d): its write-ahead log is not the one captured",
                                catalog.system_identifier, record.system_identifier));
  }
  if (record.timeline == catalog.timeline) return absl::OkStatus();
  if (slot.has_value() && slot->failover) return absl::OkStatus();
  return StreamLost(
      stream,
      absl::StrFormat(
          "the source is on timeline %d, the stream was begun on %d: after a "
          "failover or a restore some of what was captured may never have "
          "been, or be missing%s",
          catalog.timeline, record.timeline,
          slot.has_value() ? "" : ", and replication slot " + stream.slot + " did not come along"));
}

absl::StatusOr<Lsn> FindFork(const records::Stream& stream, const records::CaptureStream& record,
                             const catalog::Catalog& catalog, const pg::TimelineEnds& ends) {
  const auto end = ends.find(record.timeline);
  if (end != ends.end()) return end->second;
  return StreamLost(stream,
                    absl::StrFormat("the source is on timeline %d, whose history does not pass "
                                    "through %d, on which the stream was begun: it is another "
                                    "branch of this cluster",
                                    catalog.timeline, record.timeline));
}

absl::Status CheckFork(const records::Stream& stream, const records::CaptureStream& record,
                       const catalog::Catalog& catalog, Lsn fork, const LogCoverage& coverage) {
  if (coverage.reached <= fork) return absl::OkStatus();
  return StreamLost(
      stream,
      absl::StrFormat("forked: the source went on as timeline %d at %s, and the log holds what "
                      "timeline %d had up to %s, %d bytes further: what was committed in between "
                      "is on the log and perhaps in NEW, and the source never had it; to keep "
                      "any of it, look for it on the former primary, or in NEW, first",
                      catalog.timeline, fork.ToString(), record.timeline,
                      coverage.reached.ToString(), coverage.reached.value() - fork.value()));
}

absl::Status CheckSlot(const records::Stream& stream, const std::optional<SlotState>& slot,
                       const catalog::Catalog& catalog) {
  if (!slot.has_value()) {
    return StreamLost(stream,
                      absl::StrFormat("replication slot %s is gone: it was dropped, or did not "
                                      "survive a failover",
                                      stream.slot));
  }
  if (!slot->logical_pgoutput || slot->two_phase || slot->database != catalog.database) {
    return StreamLost(stream, absl::StrFormat("replication slot %s is not the one capture made (a "
                                              "single-phase pgoutput slot of database %s)",
                                              stream.slot, catalog.database));
  }
  if (!slot->invalidation.empty()) {
    return StreamLost(
        stream, absl::StrFormat("replication slot %s was invalidated (%s): the WAL it "
                                "needs from %s on is removed",
                                stream.slot, slot->invalidation, slot->confirmed_flush.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::capture
