#include "common/pg/replication/timeline.h"

#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "common/pg/libpq.h"
#include "common/pg/session.h"

namespace switchyard::pg {

absl::StatusOr<TimelineEnds> ParseTimelineHistory(std::string_view text) {
  TimelineEnds ends;
  for (const auto line : absl::StrSplit(Sv(text), '\n')) {
    if (absl::StripAsciiWhitespace(line).empty() || line[0] == '#') continue;
    // "1<tab>0/3000148<tab>no recovery target specified"
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    uint32_t timeline = 0;
    if (fields.size() < 2 || !absl::SimpleAtoi(fields[0], &timeline)) {
      return Lost(absl::StrFormat("\"%s\" is no line of a timeline's history", line),
                  kAskTheServerItself);
    }
    ASSIGN_OR_RETURN(ends[timeline], Lsn::Parse(fields[1]));
  }
  return ends;
}

absl::StatusOr<TimelineEnds> LoadTimelineEnds(const TimelineOptions& options,
                                              const Cancel& cancel) {
  if (options.timeline <= 1) return TimelineEnds();
  ASSIGN_OR_RETURN(
      const auto session,
      Session::Connect(
          {.dsn = options.dsn, .application_name = options.application_name, .replication = true},
          cancel));
  const auto history = session->Query(absl::StrFormat("TIMELINE_HISTORY %d", options.timeline));
  if (!history.ok()) return internal::AsPrecondition(history.status());
  if (history->rows() != 1 || history->columns() < 2) {
    return Refuse("TIMELINE_HISTORY gave no row", kAskTheServerItself);
  }
  return ParseTimelineHistory(history->text(0, 1));
}

}  // namespace switchyard::pg
