// Who works on a stream: the sessions that hold its locks, for as long as a role lives.
//
//   ASSIGN_OR_RETURN(std::optional<Worker> capture, CaptureAtWork(*old_session, stream));
//   if (capture.has_value()) return Refuse(capture->ToString() + " ...", "end it first");
//
// A role that stands by holds none. Thread safety: functions over a session each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"

namespace switchyard::operate {

struct Worker {
  int64_t pid = 0;  // of its backend, on the server that was asked
  // Times are unknown to those who may not look at its role's sessions.
  std::optional<absl::Time> since;
  std::optional<absl::Time> transaction_began;
  std::string application_name;

  std::string ToString() const;  // "pid 4711, since 2026-11-30 12:00:05 UTC"
};

absl::StatusOr<std::optional<Worker>> CaptureAtWork(pg::Session& old_session,
                                                    const std::string& stream);
absl::StatusOr<std::optional<Worker>> CaptureAtWork(pg::ControlSession& old_session,
                                                    const std::string& stream);
absl::StatusOr<std::optional<Worker>> ReplayAtWork(pg::Session& new_session,
                                                   const std::string& stream);
absl::StatusOr<std::optional<Worker>> ReplayAtWork(pg::ControlSession& new_session,
                                                   const std::string& stream);

}  // namespace switchyard::operate
