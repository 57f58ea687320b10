#include "verify/scan.h"

#include <charconv>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/strings.h"

namespace switchyard::verify {
namespace {

// The clock is not read for each row.
constexpr int64_t kRowsBetweenLooks = 256;
// A pause that can be cut short.
constexpr absl::Duration kPauseMin = absl::Milliseconds(1);

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

absl::Status Buckets::Add(std::string_view line) {
  const size_t tab = line.find('\t');
  int bucket = 0;
  int64_t hash = 0;
  const bool whole = tab != std::string_view::npos && line.ends_with('\n');
  if (!whole || !ParseNumber(line.substr(0, tab), &bucket) ||
      !ParseNumber(line.substr(tab + 1, line.size() - tab - 2), &hash) || bucket < 0 ||
      bucket >= kBuckets) {
    return absl::InternalError(
        absl::StrCat("a row's hash came as \"", Sv(CutUtf8(line, 100)), "\""));
  }
  ++rows[static_cast<size_t>(bucket)];
  sums[static_cast<size_t>(bucket)] += static_cast<uint64_t>(hash);
  return absl::OkStatus();
}

int64_t Buckets::total() const {
  return static_cast<int64_t>(std::accumulate(rows.begin(), rows.end(), uint64_t{0}));
}

std::vector<int> DifferingBuckets(const Buckets& a, const Buckets& b) {
  std::vector<int> differing;
  for (size_t i = 0; i < a.rows.size(); ++i) {
    if (a.rows[i] != b.rows[i] || a.sums[i] != b.sums[i]) differing.push_back(static_cast<int>(i));
  }
  return differing;
}

absl::Status Scan::Read(pg::Session& session, std::string_view select) {
  return session.CopyOut(CopyOutSql(select), [&](std::string_view line) -> absl::Status {
    RETURN_IF_ERROR(Pace());
    return buckets_.Add(line);
  });
}

absl::Status Scan::Pace() {
  if (began_ == absl::InfinitePast()) began_ = absl::Now();
  ++rows_;
  const int64_t limit = control_.rows_per_second_max;
  const bool slow = limit > 0 && limit < 10 * kRowsBetweenLooks;
  if (rows_ % (slow ? 1 : kRowsBetweenLooks) != 0) return absl::OkStatus();
  control_.rows += slow ? 1 : kRowsBetweenLooks;
  if (control_.given_up) return absl::CancelledError("the other side could not be read");
  if (limit <= 0) return absl::OkStatus();
  const absl::Duration ahead =
      absl::Seconds(static_cast<double>(rows_) / static_cast<double>(limit)) -
      (absl::Now() - began_);
  if (ahead < kPauseMin || control_.cancel.WaitFor(ahead)) return absl::OkStatus();
  return control_.cancel.status();
}

}  // namespace switchyard::verify
