// What a server's answer means to a driver (cutover/ports.h), where it is not what it means to all
// others. Pure.
#pragma once

#include "common/base/status.h"

namespace switchyard::cutover {

// A lock was not had in time, or a deadlock was ended at our cost, or the statement that takes all
// locks took too long: nothing was done, and it may be tried again.
bool IsLockNotHad(const absl::Status& status);

// The server ended the session: it idled in its transaction, or that took too long.
bool IsEndedByServer(const absl::Status& status);

// `status`, but DeadlineExceeded where a lock was not had: Aborted is for what was refused.
absl::Status LockNotHadIsLate(const absl::Status& status);

// `status` of a transaction whose COMMIT was sent: Unknown, unless the server said no.
absl::Status CommitAnswer(const absl::Status& status);

}  // namespace switchyard::cutover
