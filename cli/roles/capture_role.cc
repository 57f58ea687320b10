#include "cli/roles/capture_role.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/capture.h"
#include "capture/source/source_setup.h"
#include "cli/roles/patience.h"
#include "common/base/finding.h"
#include "common/catalog/catalog.h"
#include "common/records/source/capture_streams.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "common/spec/left_out.h"
#include "operate/connect.h"
#include "operate/mapping_plan.h"

namespace switchyard::cli {
namespace {

using Faults = std::vector<capture::SourceFault>;

constexpr absl::Duration kForwardLook = absl::Milliseconds(500);

const char* SideOf(const records::Stream& stream) {
  return stream.direction == records::Direction::kForward ? "old" : "new";
}

// Of standbys of OLD alone.
std::optional<bool> FailoverOf(const spec::MigrationFile& file, const records::Stream& stream) {
  return stream.direction == records::Direction::kForward ? file.capture.failover : std::nullopt;
}

absl::StatusOr<Faults> FaultsOfFirstStart(const spec::MigrationFile& file,
                                          const records::Stream& stream, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   operate::OpenSession(stream.source, SideOf(stream), cancel));
  // Fails where Switchyard's tables are not there yet.
  const auto begun = records::CaptureStreams(*session, stream.name).Load();
  if (begun.ok() && begun->has_value()) return Faults();
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, operate::LoadSourceCatalog(stream, *session));
  ASSIGN_OR_RETURN(
      Faults faults,
      capture::VerifySource(
          *session, {.stream = stream, .failover = FailoverOf(file, stream).value_or(false)},
          catalog, /*slot_exists=*/false));
  if (catalog.missing.empty()) return faults;
  // The file names a table that is not there.
  return WithCode(absl::StatusCode::kInvalidArgument, capture::FaultsToStatus(faults));
}

// Whether forward streams, or did once.
absl::StatusOr<bool> ReverseMayBegin(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   operate::OpenSession(file.new_db, "new", cancel));
  const auto begun =
      records::CaptureStreams(*session, records::ReverseOf(file).name).Load();  // may lack tables
  if (begun.ok() && begun->has_value()) return true;
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(*session));
  if (!readable) return false;
  ASSIGN_OR_RETURN(const std::optional<records::StreamState> forward,
                   records::StreamStore(*session, records::ForwardOf(file).name).Find());
  return forward.has_value() && forward->copy_lsn.valid();
}

}  // namespace

absl::Status AwaitForward(const spec::MigrationFile& file, const Cancel& cancel) {
  while (true) {
    ASSIGN_OR_RETURN(const bool may, Patiently("start of the reverse stream", cancel,
                                               [&] { return ReverseMayBegin(file, cancel); }));
    if (may) return absl::OkStatus();
    if (!cancel.WaitFor(kForwardLook)) return cancel.status();
  }
}

absl::Status PrepareCapture(const spec::MigrationFile& file, const records::Stream& stream,
                            const Cancel& cancel) {
  ASSIGN_OR_RETURN(const Faults faults, Patiently("start of capture", cancel, [&] {
                     return FaultsOfFirstStart(file, stream, cancel);
                   }));
  return Annotate(capture::FaultsToStatus(faults), SideOf(stream));
}

absl::Status RunCaptureRole(const spec::MigrationFile& file, const records::Stream& stream,
                            eventlog::EventLog& log, const Cancel& cancel) {
  capture::Capture capture({.stream = stream,
                            .dsn = stream.source.Connection(),
                            .tables = catalog::SourceTables(*stream.mapping),
                            .schemas = stream.source_schemas,
                            .left_out =
                                [&stream](const spec::TableName& table, const std::string& column) {
                                  return spec::LeavesOut(*stream.mapping, table, column);
                                },
                            .copy_workers = file.capture.copy_workers,
                            .copy_range_bytes = file.capture.copy_range_bytes,
                            .heartbeat_interval = file.capture.heartbeat_interval,
                            .drift_check_interval = file.capture.drift_check_interval,
                            .failover = FailoverOf(file, stream)},
                           log, cancel);
  return capture.Run();
}

}  // namespace switchyard::cli
