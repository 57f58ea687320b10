// Bounded big-endian reader of one message. The first short read fails the cursor for good, so one
// check at the end (Finish) covers every field read before it; until then reads return zeros and
// empty views.
//
// Views returned point into the message. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/status.h"

namespace switchyard::capture {

// DataLoss for a message that is not as documented: from there on the stream can't be read.
absl::Status Undecodable(std::string_view what);

class ByteCursor {
 public:
  explicit ByteCursor(std::string_view body) : body_(body) {}

  uint8_t U8() { return static_cast<uint8_t>(Unsigned(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Unsigned(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Unsigned(4)); }
  uint64_t U64() { return Unsigned(8); }
  int32_t I32() { return static_cast<int32_t>(U32()); }

  std::string_view Bytes(size_t count) {
    if (count > remaining()) {
      Fail();
      return {};
    }
    const std::string_view bytes = body_.substr(at_, count);
    at_ += count;
    return bytes;
  }

  // Up to the next NUL, which is consumed.
  std::string_view CString() {
    const size_t end = body_.find('\0', at_);
    if (end == std::string_view::npos) {
      Fail();
      return {};
    }
    const std::string_view text = body_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

  size_t remaining() const { return body_.size() - at_; }
  bool failed() const { return failed_; }
  void Fail() {
    failed_ = true;
    at_ = body_.size();
  }

  // OK when every read fitted and nothing is left; otherwise DataLoss with `what` and the sizes.
  absl::Status Finish(std::string_view what) const;

 private:
  uint64_t Unsigned(size_t width) {
    uint64_t value = 0;
    for (const char c : Bytes(width)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }

  std::string_view body_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace switchyard::capture
