// Waiting for what was asked of running roles, by way of NEW: the command line never talks to a
// role, so it works whichever machine that runs on.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"
#include "common/records/requests.h"

namespace switchyard::operate {

// What the role answered. FailedPrecondition: it failed, with its reason. DeadlineExceeded: no
// role has done it yet; it stays asked for.
absl::StatusOr<std::string> AwaitAnswer(records::Requests& requests, int64_t id,
                                        absl::Duration timeout, const Cancel& cancel);

// FailedPrecondition unless Switchyard's tables are in NEW and the stream has begun.
absl::Status RequireStream(pg::ControlSession& session, const std::string& stream);

}  // namespace switchyard::operate
