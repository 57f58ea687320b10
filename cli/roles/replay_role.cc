#include "cli/roles/replay_role.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "cli/roles/patience.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/records/stream/stream_store.h"
#include "replayer/replayer.h"
#include "replayer/target/target_session.h"

namespace switchyard::cli {

absl::Status NotedInTarget(const records::Stream& stream, const absl::Status& refusal,
                           const Cancel& cancel) {
  const absl::StatusOr<std::string> dsn = stream.target.Dsn();
  if (refusal.ok() || absl::IsCancelled(refusal) || !dsn.ok()) return refusal;
  // Locked, so that a second replayer that is refused does not stop the first.
  const auto session = replayer::OpenExclusively({.dsn = *dsn, .stream = stream.name}, cancel);
  if (!session.ok()) return refusal;
  const absl::Status reason =
      WithNextStep(refusal, "mend that and start the replayer again; nothing was skipped");
  // Best effort: the caller reports it in any case.
  const absl::Status noted =
      records::StreamStore(**session, stream.name).NoteRefusedStart(TextOf(FindingOf(reason, "")));
  if (!noted.ok()) {
    LogDebug("replayer", "the refusal could not be recorded",
             {{"error", std::string(StdSv(noted.message()))}});
  }
  return refusal;
}

absl::StatusOr<mapping::Plan> PrepareReplay(const spec::MigrationFile& file,
                                            const records::Stream& stream, const Cancel& cancel) {
  absl::StatusOr<mapping::PreparedMapping> prepared = Patiently(
      "start of replay", cancel, [&] { return mapping::PrepareMapping(file, stream, {}, cancel); });
  RETURN_IF_ERROR(NotedInTarget(stream, prepared.status(), cancel));
  return std::move(prepared->plan);
}

absl::Status Replay(const spec::MigrationFile& file, const records::Stream& stream,
                    const mapping::Plan& plan, eventlog::EventLog& log, const Cancel& cancel,
                    const Cancel* drain) {
  std::vector<std::pair<std::string, std::string>> after_copy;
  if (stream.direction == records::Direction::kForward) {
    for (const spec::SchemaStep& step : file.after_copy) {
      after_copy.emplace_back(step.path, step.sql);
    }
  }
  replayer::Replayer replayer(
      {.target = {.dsn = stream.target.Connection(),
                  .stream = stream.name,
                  .quarantine_max = file.replay.quarantine_max,
                  .sensitive = mapping::Sensitive(*stream.mapping)},
       .change_topic = stream.change_topic,
       .copy_topic = stream.copy_topic,
       .after_copy = std::move(after_copy),
       .batch_rows_max = file.replay.batch_rows_max,
       .batch_bytes_max = file.replay.batch_bytes_max,
       .copy_workers = file.replay.copy_workers,
       // A stream of progress alone would be answered by the other, and so on.
       .progress_interval =
           file.reverse.has_value() ? file.capture.heartbeat_interval : absl::ZeroDuration(),
       .learn_values = [&] { return mapping::LearnValues(stream, cancel); },
       .seed = static_cast<uint64_t>(getpid()),
       .drain = drain},
      plan, log, cancel);
  return replayer.Run();
}

}  // namespace switchyard::cli
