#include "operate/status/suspects.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "common/base/strings.h"
#include "common/records/copies.h"
#include "common/records/proof/parity_results.h"
#include "common/records/requests.h"

namespace switchyard::operate {
namespace {

// A table of many partitions may have as many reasons.
constexpr size_t kReasonsMax = 3;

std::string JoinReasons(const std::vector<std::string>& reasons) {
  const size_t shown = std::min(reasons.size(), kReasonsMax);
  std::string text = absl::StrJoin(absl::MakeConstSpan(reasons).first(shown), "; ");
  if (shown < reasons.size()) absl::StrAppendFormat(&text, "; and %d more", reasons.size() - shown);
  return text;
}

// A step that is the end of another one is done with it.
std::string JoinSteps(const std::vector<std::string>& steps) {
  std::vector<std::string> kept;
  for (const std::string& step : steps) {
    const bool within = std::ranges::any_of(steps, [&](const std::string& other) {
      return other.size() > step.size() && absl::EndsWith(other, step);
    });
    if (!within && std::ranges::count(kept, step) == 0) kept.push_back(step);
  }
  return absl::StrJoin(kept, "; and: ");
}

}  // namespace

absl::Status DropMended(pg::Session& target, const std::string& stream,
                        std::vector<records::OpenSuspect>* suspects) {
  std::vector<records::OpenSuspect> open;
  for (records::OpenSuspect& record : *suspects) {
    // Whichever table was copied, it is not the one that the mapping names.
    if (absl::StartsWith(record.reason, records::kRenamedTo)) {
      open.push_back(std::move(record));
      continue;
    }
    ASSIGN_OR_RETURN(const bool recopied,
                     records::Requests(target, stream).WasRecopied(record.table, record.seen));
    if (recopied) continue;
    ASSIGN_OR_RETURN(const bool mended,
                     records::Copies(target, stream).AreLoadedSince(record.leaves, record.seen));
    if (mended) continue;
    if (absl::StrContains(record.next_step, records::kResumeStep)) {
      open.push_back(std::move(record));
      continue;
    }
    ASSIGN_OR_RETURN(
        const bool clean,
        records::ParityResults(target, stream).IsCleanSince(record.table, record.seen));
    if (!clean) open.push_back(std::move(record));
  }
  *suspects = std::move(open);
  return absl::OkStatus();
}

std::vector<Suspect> OnePerTable(const std::vector<records::OpenSuspect>& records) {
  std::vector<Suspect> suspects;
  for (const records::OpenSuspect& first : records) {
    if (std::ranges::count(suspects, first.table, &Suspect::table) > 0) continue;
    std::vector<std::string> reasons;
    std::vector<std::string> steps;
    for (const records::OpenSuspect& record : records) {
      if (record.table != first.table) continue;
      reasons.push_back(record.reason);
      steps.push_back(record.next_step);
    }
    suspects.push_back(
        {.table = first.table, .reason = JoinReasons(reasons), .next_step = JoinSteps(steps)});
  }
  return suspects;
}

}  // namespace switchyard::operate
