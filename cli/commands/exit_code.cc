#include "cli/commands/exit_code.h"

#include "operate/connect.h"

namespace switchyard::cli {

ExitCode ExitCodeFor(const absl::Status& status) {
  if (operate::IsLoginRefused(status)) return ExitCode::kUnavailable;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kUsage;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kInconclusive;
    case absl::StatusCode::kUnknown:
      return ExitCode::kAmbiguous;
    default:
      return ExitCode::kNo;
  }
}

std::string_view ExitCodeWord(ExitCode code) {
  switch (code) {
    case ExitCode::kDone:
      return "done";
    case ExitCode::kNo:
      return "no";
    case ExitCode::kUsage:
      return "usage";
    case ExitCode::kUnavailable:
      return "unavailable";
    case ExitCode::kInconclusive:
      return "inconclusive";
    case ExitCode::kAmbiguous:
      return "ambiguous";
  }
  return "no";
}

}  // namespace switchyard::cli
