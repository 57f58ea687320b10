#include "cli/replay_role.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "capture/source_setup.h"
#include "cli/connect.h"
#include "cli/mapping_plan.h"
#include "common/base/log.h"
#include "common/base/retry.h"
#include "common/base/strings.h"
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

absl::StatusOr<mapping::Plan> PrepareWithPatience(const spec::MigrationFile& file,
                                                  const std::string& stream, const Cancel& cancel) {
  Backoff backoff({.seed = static_cast<uint64_t>(getpid())});
  while (true) {
    absl::StatusOr<mapping::Plan> plan = Prepare(file, stream, cancel);
    if (plan.ok() || !(IsRetryable(plan.status()) || absl::IsUnknown(plan.status()))) return plan;
    LogWarn("replay", "not ready to start; trying again",
            {{"stream", stream}, {"error", std::string(StdSv(plan.status().message()))}});
    if (!cancel.WaitFor(backoff.Next())) return cancel.status();
  }
}

}  // namespace

absl::Status RunReplayRole(const spec::MigrationFile& file, eventlog::EventLog& log,
                           const Cancel& cancel) {
  const std::string stream = capture::NamesOf(file.name, "forward").stream;
  ASSIGN_OR_RETURN(const mapping::Plan plan, PrepareWithPatience(file, stream, cancel));
  ASSIGN_OR_RETURN(const std::string dsn, file.new_db.Dsn());
  replayer::Replayer replayer(
      {.target = {.dsn = dsn, .stream = stream, .quarantine_max = file.replay.quarantine_max},
       .change_topic = stream + ".changes",
       .copy_topic = stream + ".copy",
       .batch_rows_max = file.replay.batch_rows_max,
       .batch_bytes_max = file.replay.batch_bytes_max,
       .seed = static_cast<uint64_t>(getpid())},
      plan, log, cancel);
  return replayer.Run();
}

}  // namespace switchyard::cli
