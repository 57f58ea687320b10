#include "capture/decode/byte_cursor.h"

#include "absl/strings/str_format.h"
#include "common/base/finding.h"

namespace switchyard::capture {

absl::Status Undecodable(std::string_view what) { return Lost(what, kCopyAllAnew); }

absl::Status ByteCursor::Finish(std::string_view what) const {
  if (failed_) {
    return Undecodable(absl::StrFormat("%s message of %d bytes is cut short", what, body_.size()));
  }
  if (remaining() > 0) {
    return Undecodable(absl::StrFormat("%s message of %d bytes has %d bytes left over", what,
                                       body_.size(), remaining()));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::capture
