#include "cli/replay_role.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "capture/capture.h"
#include "cli/connect.h"
#include "cli/mapping_plan.h"
#include "cli/patience.h"
#include "common/mapping/install.h"
#include "replayer/replayer.h"

namespace switchyard::cli {
namespace {

absl::StatusOr<mapping::Catalog> SourceCatalog(const spec::MigrationFile& file,
                                               pg::Session& new_session, const std::string& stream,
                                               const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::string installed, InstalledCatalog(new_session, stream));
  if (!installed.empty()) return mapping::CatalogFromJson(installed);
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> old_session,
                   ConnectTo(file.old_db, "old", cancel));
  return LoadSourceCatalog(file, *old_session);
}

absl::StatusOr<mapping::Plan> Prepare(const spec::MigrationFile& file, const std::string& stream,
                                      const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.new_db, "new", cancel));
  ASSIGN_OR_RETURN(mapping::Catalog source, SourceCatalog(file, *session, stream, cancel));
  ASSIGN_OR_RETURN(MappingPlan compiled, CompileMapping(file, std::move(source), *session));
  RETURN_IF_ERROR(
      mapping::InstallTarget(*session, compiled.plan, compiled.source, {.stream = stream}));
  return std::move(compiled.plan);
}

}  // namespace

absl::StatusOr<mapping::Plan> PrepareReplay(const spec::MigrationFile& file, const Cancel& cancel) {
  const std::string stream = capture::NamesOf(file.name, "forward").stream;
  return Patiently("start of replay", cancel, [&] { return Prepare(file, stream, cancel); });
}

absl::Status Replay(const spec::MigrationFile& file, const mapping::Plan& plan,
                    eventlog::EventLog& log, const Cancel& cancel) {
  const capture::StreamNames names = capture::NamesOf(file.name, "forward");
  ASSIGN_OR_RETURN(const std::string dsn, file.new_db.Dsn());
  replayer::Replayer replayer(
      {.target = {.dsn = dsn, .stream = names.stream, .quarantine_max = file.replay.quarantine_max},
       .change_topic = capture::ChangeTopic(names),
       .copy_topic = capture::CopyTopic(names),
       .batch_rows_max = file.replay.batch_rows_max,
       .batch_bytes_max = file.replay.batch_bytes_max,
       .seed = static_cast<uint64_t>(getpid())},
      plan, log, cancel);
  return replayer.Run();
}

absl::Status RunReplayRole(const spec::MigrationFile& file, eventlog::EventLog& log,
                           const Cancel& cancel) {
  ASSIGN_OR_RETURN(const mapping::Plan plan, PrepareReplay(file, cancel));
  return Replay(file, plan, log, cancel);
}

}  // namespace switchyard::cli
