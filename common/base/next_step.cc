#include "common/base/next_step.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "common/base/strings.h"

namespace switchyard {
namespace {

constexpr std::string_view kMark = "; next: ";

}  // namespace

NextStep SplitNextStep(std::string_view text, std::string_view otherwise) {
  const size_t at = text.find(kMark);
  if (at == std::string_view::npos) return {std::string(text), std::string(otherwise)};
  if (text.find(kMark, at + 1) != std::string_view::npos) {
    return {std::string(text), "do what stands behind each; then start again"};
  }
  return {std::string(text.substr(0, at)), std::string(text.substr(at + kMark.size()))};
}

absl::Status WithNextStep(const absl::Status& status, std::string_view next) {
  if (status.ok() || absl::StrContains(status.message(), Sv(kMark))) return status;
  absl::Status extended(status.code(), absl::StrCat(status.message(), Sv(kMark), Sv(next)));
  status.ForEachPayload([&extended](absl::string_view url, const absl::Cord& payload) {
    extended.SetPayload(url, payload);
  });
  return extended;
}

}  // namespace switchyard
