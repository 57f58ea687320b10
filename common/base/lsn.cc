#include "common/base/lsn.h"

#include <charconv>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard {
namespace {

bool ParseHex32(std::string_view text, uint32_t* out) {
  if (text.empty() || text.size() > 8) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, 16);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

absl::StatusOr<Lsn> Lsn::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  uint32_t high = 0;
  uint32_t low = 0;
  if (slash == std::string_view::npos || !ParseHex32(text.substr(0, slash), &high) ||
      !ParseHex32(text.substr(slash + 1), &low)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Sv(text), "\" is not a LSN; one looks like 0/16B3748"));
  }
  return Lsn(uint64_t{high} << 32 | low);
}

std::string Lsn::ToString() const {
  return absl::StrFormat("%X/%X", static_cast<uint32_t>(value_ >> 32),
                         static_cast<uint32_t>(value_));
}

}  // namespace switchyard
