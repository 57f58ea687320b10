#include "operate/report/quarantine_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "operate/report/human.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

}  // namespace

std::string QuarantineText(const QuarantineReport& report) {
  if (report.total == 0) return report.stream + ": the quarantine is empty\n";
  std::string out;
  for (const QuarantineEntry& entry : report.entries) {
    absl::StrAppendFormat(&out, "%d  %s %s %s\n    %s (SQLSTATE %s)\n", entry.id, entry.operation,
                          entry.table, entry.scope, entry.error, entry.sqlstate);
    absl::StrAppendFormat(&out, "    %s %s, newest at LSN %s, first seen %s\n",
                          HumanCount(entry.events), entry.events == 1 ? "change" : "changes",
                          entry.lsn, Timestamp(entry.first_seen));
  }
  absl::StrAppendFormat(&out, "%s: %s in quarantine", report.stream, HumanCount(report.total));
  if (static_cast<int64_t>(report.entries.size()) < report.total) {
    absl::StrAppendFormat(&out, ", the first %d shown", report.entries.size());
  }
  return out + "\n";
}

std::string QuarantineJson(const QuarantineReport& report) {
  ordered_json entries = ordered_json::array();
  for (const QuarantineEntry& entry : report.entries) {
    entries.push_back({{"id", entry.id},
                       {"table", entry.table},
                       {"scope", entry.scope},
                       {"operation", entry.operation},
                       {"lsn", entry.lsn},
                       {"sqlstate", entry.sqlstate},
                       {"error", entry.error},
                       {"events", entry.events},
                       {"first_seen", Timestamp(entry.first_seen)},
                       {"last_seen", Timestamp(entry.last_seen)}});
  }
  const ordered_json object = {
      {"stream", report.stream}, {"total", report.total}, {"entries", std::move(entries)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
