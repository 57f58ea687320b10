#include "operate/status/suspects.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "capture/source/drift.h"
#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/records/copies.h"
#include "common/records/requests.h"

namespace switchyard::operate {
namespace {

// A table of many partitions may have as many reasons.
constexpr size_t kReasonsMax = 3;

std::string JoinReasons(const std::vector<std::string>& reasons) {
  const size_t shown = std::min(reasons.size(), kReasonsMax);
  std::string text = absl::StrJoin(reasons.begin(), reasons.begin() + shown, "; ");
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

absl::StatusOr<std::vector<SuspectRecord>> LoadSuspects(pg::Session& source,
                                                        const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result rows, source.Query(R"(
    SELECT s.schema_name || '.' || s.table_name, s.reason, s.next_step, s.seen_lsn,
           coalesce((SELECT string_agg(t.relation_id::text, ',')
                     FROM switchyard.capture_table t
                     WHERE t.stream = s.stream AND t.kind <> 'p'
                       AND s.relation_id IN (t.relation_id, t.root_id)), '')
    FROM switchyard.capture_suspect s WHERE s.stream = $1 AND s.cleared_at IS NULL ORDER BY s.id)",
                                                       {stream}));
  std::vector<SuspectRecord> records;
  for (int i = 0; i < rows.rows(); ++i) {
    SuspectRecord& record = records.emplace_back();
    record.table = rows.str(i, 0);
    record.reason = rows.str(i, 1);
    record.next_step = rows.str(i, 2);
    ASSIGN_OR_RETURN(record.seen, Lsn::Parse(rows.text(i, 3)));
    for (const auto leaf : absl::StrSplit(Sv(rows.text(i, 4)), ',', absl::SkipEmpty())) {
      SY_CHECK(absl::SimpleAtoi(leaf, &record.leaves.emplace_back()));
    }
  }
  return records;
}

absl::Status DropMended(pg::Session& target, const std::string& stream,
                        std::vector<SuspectRecord>* suspects) {
  std::vector<SuspectRecord> open;
  for (SuspectRecord& record : *suspects) {
    // Whichever table was copied, it is not the one that the mapping names.
    if (absl::StartsWith(record.reason, capture::kRenamedTo)) {
      open.push_back(std::move(record));
      continue;
    }
    ASSIGN_OR_RETURN(const bool recopied,
                     records::Requests(target, stream).WasRecopied(record.table, record.seen));
    if (recopied) continue;
    ASSIGN_OR_RETURN(const bool mended,
                     records::Copies(target, stream).AreLoadedSince(record.leaves, record.seen));
    if (!mended) open.push_back(std::move(record));
  }
  *suspects = std::move(open);
  return absl::OkStatus();
}

std::vector<Suspect> OnePerTable(const std::vector<SuspectRecord>& records) {
  std::vector<Suspect> suspects;
  for (const SuspectRecord& first : records) {
    if (std::ranges::count(suspects, first.table, &Suspect::table) > 0) continue;
    std::vector<std::string> reasons;
    std::vector<std::string> steps;
    for (const SuspectRecord& record : records) {
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
