#include "operate/report/human.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace switchyard::operate {
namespace {

std::string TwoUnits(int64_t big, const char* big_unit, int64_t small, const char* small_unit) {
  if (small == 0) return absl::StrFormat("%d %s", big, big_unit);
  return absl::StrFormat("%d %s %d %s", big, big_unit, small, small_unit);
}

}  // namespace

std::string HumanCount(int64_t count) {
  std::string digits = std::to_string(count);
  const ptrdiff_t first = count < 0 ? 1 : 0;
  for (ptrdiff_t at = static_cast<ptrdiff_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

std::string HumanDuration(absl::Duration duration) {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(duration));
  if (seconds < 1) return absl::StrFormat("%.2f s", seconds);
  if (seconds < 10) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e15));
  if (whole < 60) return absl::StrFormat("%d s", whole);
  if (whole < 3600) return TwoUnits(whole / 60, "min", whole % 60, "s");
  if (whole < 86400) return TwoUnits(whole / 3600, "h", whole % 3600 / 60, "min");
  return TwoUnits(whole / 86400, "d", whole % 86400 / 3600, "h");
}

}  // namespace switchyard::operate
