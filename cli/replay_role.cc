#include "cli/replay_role.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "cli/patience.h"
#include "common/mapping/install/prepare.h"
#include "replayer/replayer.h"

namespace switchyard::cli {

absl::StatusOr<mapping::Plan> PrepareReplay(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(mapping::PreparedMapping prepared, Patiently("start of replay", cancel, [&] {
                     return mapping::PrepareMapping(file, mapping::ForwardRole(file), {}, cancel);
                   }));
  return std::move(prepared.plan);
}

absl::Status Replay(const spec::MigrationFile& file, const mapping::Plan& plan,
                    eventlog::EventLog& log, const Cancel& cancel, const Cancel* drain) {
  const mapping::StreamRole role = mapping::ForwardRole(file);
  ASSIGN_OR_RETURN(const std::string dsn, role.target.Dsn());
  std::vector<std::pair<std::string, std::string>> after_copy;
  for (const spec::SchemaStep& step : file.after_copy) after_copy.emplace_back(step.path, step.sql);
  replayer::Replayer replayer(
      {.target = {.dsn = dsn, .stream = role.stream, .quarantine_max = file.replay.quarantine_max},
       .change_topic = role.change_topic,
       .copy_topic = role.copy_topic,
       .after_copy = std::move(after_copy),
       .batch_rows_max = file.replay.batch_rows_max,
       .batch_bytes_max = file.replay.batch_bytes_max,
       .copy_workers = file.replay.copy_workers,
       .seed = static_cast<uint64_t>(getpid()),
       .drain = drain},
      plan, log, cancel);
  return replayer.Run();
}

}  // namespace switchyard::cli
