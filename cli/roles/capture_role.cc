#include "cli/roles/capture_role.h"

#include <memory>
#include <string>
#include <vector>

#include "capture/capture.h"
#include "capture/source/source_setup.h"
#include "cli/roles/patience.h"
#include "common/base/finding.h"
#include "common/catalog/catalog.h"
#include "common/records/source/capture_streams.h"
#include "common/records/stream/stream.h"
#include "common/spec/left_out.h"
#include "operate/connect.h"
#include "operate/mapping_plan.h"

namespace switchyard::cli {
namespace {

using Faults = std::vector<capture::SourceFault>;

absl::StatusOr<Faults> FaultsOfFirstStart(const spec::MigrationFile& file, const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   operate::OpenSession(file.old_db, "old", cancel));
  // Fails where Switchyard's tables are not there yet.
  const auto begun = records::CaptureStreams(*session, stream.name).Load();
  if (begun.ok() && begun->has_value()) return Faults();
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, operate::LoadSourceCatalog(file, *session));
  ASSIGN_OR_RETURN(
      Faults faults,
      capture::VerifySource(*session,
                            {.stream = stream, .failover = file.capture.failover.value_or(false)},
                            catalog, /*slot_exists=*/false));
  if (catalog.missing.empty()) return faults;
  // The file names a table that is not there.
  return WithCode(absl::StatusCode::kInvalidArgument, capture::FaultsToStatus(faults));
}

}  // namespace

absl::Status PrepareCapture(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const Faults faults, Patiently("start of capture", cancel, [&] {
                     return FaultsOfFirstStart(file, cancel);
                   }));
  return Annotate(capture::FaultsToStatus(faults), "old");
}

absl::Status RunCaptureRole(const spec::MigrationFile& file, eventlog::EventLog& log,
                            const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  capture::Capture capture({.stream = stream,
                            .dsn = stream.source.Connection(),
                            .tables = catalog::SourceTables(*stream.mapping),
                            .schemas = file.schemas,
                            .left_out =
                                [&stream](const spec::TableName& table, const std::string& column) {
                                  return spec::LeavesOut(*stream.mapping, table, column);
                                },
                            .copy_workers = file.capture.copy_workers,
                            .copy_range_bytes = file.capture.copy_range_bytes,
                            .heartbeat_interval = file.capture.heartbeat_interval,
                            .drift_check_interval = file.capture.drift_check_interval,
                            .failover = file.capture.failover},
                           log, cancel);
  return capture.Run();
}

}  // namespace switchyard::cli
