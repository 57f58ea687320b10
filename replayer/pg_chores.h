// The loop's Chores on Postgres: requests to retry the quarantine, re-copies, a resume, and looks
// at what NEW was given while the stream ran.
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/clock.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "replayer/copy/recopy.h"
#include "replayer/loop/ports.h"
#include "replayer/resume.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

struct ChoresOptions {
  RecopyOptions recopy;
  PgTargetOptions target;
  absl::Duration look_interval;  // see ReplayerOptions
};

class PgChores : public Chores {
 public:
  PgChores(ChoresOptions options, PgTarget& target, const mapping::Plan& plan,
           eventlog::EventLog& log, const Clock& clock);
  ~PgChores() override;

  absl::Status Prepare() override;
  absl::Status Begin() override;
  absl::Status Step() override;
  bool resuming() const override { return resume_.open(); }
  bool TakeReleased() override { return recopy_->TakeReleased(); }
  absl::StatusOr<std::optional<int64_t>> KeepFrom() override { return recopy_->KeepFrom(); }

 private:
  absl::Status HandleBreaches();
  absl::Status HandleRequests();
  absl::Status Look();

  const ChoresOptions options_;
  PgTarget& target_;
  const mapping::Plan& plan_;
  eventlog::EventLog& log_;
  const Clock& clock_;
  Resume resume_;
  std::unique_ptr<Recopy> recopy_;  // of the session that streams
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace switchyard::replayer
