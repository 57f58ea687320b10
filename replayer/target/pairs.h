// Pairs of ids that the other direction allotted come in the log as rows of the source's
// switchyard.id_map, which is mirrored; from there they are put into the target's own, before any
// id is allotted. One of whose ids has another partner here waits in quarantine, and changes
// nothing.
//
// Within the caller's transaction. Thread safety: functions over a Stage, which is
// thread-compatible.
#pragma once

#include <string>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "replayer/write/modes.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

// Those in the stage, once the mirror has them; or all that the mirror has. Plan::pairs has a
// source.
absl::Status TakePairs(Stage& stage, const std::string& stream, Breadth breadth, Lsn lsn);
// All once more: entries of those that are there now are gone.
absl::Status TakePairsAgain(Stage& stage, const std::string& stream, Lsn lsn);

}  // namespace switchyard::replayer
