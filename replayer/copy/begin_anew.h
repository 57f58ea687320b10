// Takes a stream back to where it was before its initial copy: for when changes are lost and
// everything must be copied again.
//
// Thread safety: a function over values; it opens a session of its own.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/mapping/plan.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

struct TopicEnds {
  int64_t change = 0;  // next offset of each topic now: what follows is of the new copy
  int64_t copy = 0;
  uint64_t epoch = 0;  // the highest the log may hold: records of it that are late are dropped
};

// Empties the rows that the mappings own, drops the mirror and forgets the position, the progress
// of the copy, the quarantine and the installed mapping: one transaction. The epoch only grows. The
// next replayer installs and loads from scratch. FailedPrecondition while a replayer works on the
// stream.
absl::Status BeginAnew(const PgTargetOptions& options, const mapping::Plan& plan,
                       const TopicEnds& ends, const Cancel& cancel);

}  // namespace switchyard::replayer
