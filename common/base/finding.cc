#include "common/base/finding.h"

#include "absl/strings/cord.h"
#include "common/base/strings.h"

namespace switchyard {
namespace {

constexpr char kPayloadUrl[] = "switchyard/next-step";
constexpr std::string_view kMark = "; next: ";

void CopyPayloads(const absl::Status& from, absl::Status* to) {
  from.ForEachPayload(
      [to](absl::string_view url, const absl::Cord& payload) { to->SetPayload(url, payload); });
}

absl::Status Make(absl::StatusCode code, const Finding& finding) {
  absl::Status status(code, TextOf(finding));
  status.SetPayload(kPayloadUrl, absl::Cord(finding.next));
  return status;
}

}  // namespace

absl::Status Refuse(std::string_view what, std::string_view next) {
  return Make(absl::StatusCode::kFailedPrecondition, {std::string(what), std::string(next)});
}

absl::Status RefuseAll(std::string_view heading, const std::vector<Finding>& findings) {
  if (findings.empty()) return absl::OkStatus();
  if (findings.size() == 1) {
    const char* space = heading.empty() ? "" : " ";
    return Refuse(absl::StrCat(Sv(heading), space, findings[0].what), findings[0].next);
  }
  std::string text(heading);
  for (const Finding& finding : findings) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", TextOf(finding));
  }
  absl::Status status = absl::FailedPreconditionError(text);
  status.SetPayload(kPayloadUrl, absl::Cord("do what stands behind each, then start again"));
  return status;
}

absl::Status Lost(std::string_view what, std::string_view next) {
  return Make(absl::StatusCode::kDataLoss, {std::string(what), std::string(next)});
}

absl::Status WithNextStep(const absl::Status& status, std::string_view next) {
  if (status.ok() || status.GetPayload(kPayloadUrl).has_value()) return status;
  absl::Status extended =
      Make(status.code(), {std::string(StdSv(status.message())), std::string(next)});
  CopyPayloads(status, &extended);
  return extended;
}

absl::Status WithCode(absl::StatusCode code, const absl::Status& status) {
  if (status.ok()) return status;
  absl::Status recoded(code, status.message());
  CopyPayloads(status, &recoded);
  return recoded;
}

Finding FindingOf(const absl::Status& status, std::string_view otherwise) {
  std::string_view what = StdSv(status.message());
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return {std::string(what), std::string(otherwise)};
  Finding finding = {.what = "", .next = std::string(*payload)};
  const std::string end = absl::StrCat(Sv(kMark), finding.next);
  if (what.ends_with(end)) what.remove_suffix(end.size());
  finding.what = std::string(what);
  return finding;
}

std::string TextOf(const Finding& finding) {
  return finding.next.empty() ? finding.what : absl::StrCat(finding.what, Sv(kMark), finding.next);
}

Finding ParseFinding(std::string_view text) {
  const size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + kMark.size()))};
}

}  // namespace switchyard
