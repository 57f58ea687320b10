#include "common/records/stream/phase.h"

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"

namespace switchyard::records {

std::string ToString(Phase phase) {
  switch (phase) {
    case Phase::kNew:
      return "new";
    case Phase::kCopying:
      return "copying";
    case Phase::kCatchingUp:
      return "catching_up";
    case Phase::kStreaming:
      return "streaming";
    case Phase::kStopped:
      return "stopped";
  }
  return "";
}

absl::StatusOr<Phase> ParsePhase(std::string_view text) {
  for (const Phase phase :
       {Phase::kNew, Phase::kCopying, Phase::kCatchingUp, Phase::kStreaming, Phase::kStopped}) {
    if (ToString(phase) == text) return phase;
  }
  return Lost(absl::StrCat("the target keeps a stream with state \"", std::string(text),
                           "\", which this program does not know"),
              "use the program that wrote it, or a newer one");
}

}  // namespace switchyard::records
