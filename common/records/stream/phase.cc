#include "common/records/stream/phase.h"

#include "absl/strings/str_cat.h"

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
  return absl::DataLossError(absl::StrCat("the target keeps a stream with state \"",
                                          std::string(text),
                                          "\", which this program does not know"));
}

}  // namespace switchyard::records
