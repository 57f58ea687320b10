#include "capture/decode/byte_cursor.h"

#include "absl/strings/str_format.h"

namespace switchyard::capture {

absl::Status ByteCursor::Finish(std::string_view what) const {
  if (failed_) {
    return absl::DataLossError(
        absl::StrFormat("%s message of %d bytes is cut short", what, body_.size()));
  }
  if (remaining() > 0) {
    return absl::DataLossError(absl::StrFormat("%s message of %d bytes has %d bytes left over",
                                               what, body_.size(), remaining()));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::capture
