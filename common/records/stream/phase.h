// What a stream is at, as its target has it (stream_store.h says how it gets from one to another).
//
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace switchyard::records {

enum class Phase {
  kNew,      // nothing is loaded yet
  kCopying,  // the first copy is being loaded
  // Tables of a copy that was cut are brought to one point; or some are copied or derived again.
  kCatchingUp,
  kStreaming,  // the target shows the source as it was at the stream's position
  kStopped,    // a person is to read why
};

// "catching_up": as in the target, in `status` and in every --json.
std::string ToString(Phase phase);
// DataLoss: it is none.
absl::StatusOr<Phase> ParsePhase(std::string_view text);

}  // namespace switchyard::records
