// The loop's InitialCopy on Postgres: the copy topic into a PgTarget, and what is computed from it.
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "replayer/copy/copy_loader.h"
#include "replayer/loop/ports.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

struct InitialCopyOptions {
  std::string stream;
  std::string change_topic;
  std::string copy_topic;
  // See CopyLoaderOptions.
  std::vector<std::pair<std::string, std::string>> after_copy;
  int workers = 2;
};

class PgInitialCopy : public InitialCopy {
 public:
  PgInitialCopy(InitialCopyOptions options, PgTarget& target, const mapping::Plan& plan,
                eventlog::EventLog& log, const Cancel& cancel);

  absl::Status Load(const records::StreamState& state, Drain& drain, TrimSchedule& trims) override;
  absl::StatusOr<Lsn> LastPoint() override;
  absl::Status BeginRollForward() override;
  void EndRollForward() override { target_.EndRollForward(); }
  absl::Status Derive(Lsn last) override;

 private:
  absl::Status RefuseLost(const records::StreamState& state);
  absl::Status RefuseUnreadable(const CopyLoader& loader);
  absl::Status Read(eventlog::LogReader& reader, CopyLoader* loader, bool* idle);

  const InitialCopyOptions options_;
  PgTarget& target_;
  const mapping::Plan& plan_;
  eventlog::EventLog& log_;
  const Cancel& cancel_;
  std::vector<eventlog::LogRecord> records_;
};

}  // namespace switchyard::replayer
