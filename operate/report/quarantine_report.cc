#include "operate/report/quarantine_report.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "operate/report/human.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

// The classes of error that put a row here have few causes each.
const char* WhatToMend(const std::string& sqlstate) {
  if (sqlstate == "22001") {
    return "give NEW's column a longer type, or shorten the value in OLD or in the mapping";
  }
  if (sqlstate == "23502") {
    return "give the column a value in the mapping (coalesce), or let it be NULL in NEW";
  }
  if (sqlstate == "23503") return "see why the row it refers to is not in NEW; it may wait here";
  if (sqlstate == "23505") {
    return "another row of NEW has these values: change one of them in OLD or in the mapping";
  }
  if (sqlstate == "23514") return "mend the value in OLD or in the mapping, or the CHECK in NEW";
  if (sqlstate == "23Y01") {  // our own: mode: patch
    return "somebody else wrote the row: give it the values of \"before\" again, and the change is "
           "made; or those of \"after\", and it counts as made";
  }
  return "mend the row in OLD, the mapping, or what refuses it in NEW";
}

std::string NextOf(const QuarantineEntry& entry) {
  return absl::StrFormat("%s; then: switchyard quarantine FILE retry %d",
                         WhatToMend(entry.sqlstate), entry.id);
}

std::string EntryText(const QuarantineEntry& entry) {
  std::string out =
      absl::StrFormat("%d  %s %s %s\n    %s (SQLSTATE %s)\n", entry.id, entry.operation,
                      entry.table, entry.scope, entry.error, entry.sqlstate);
  absl::StrAppendFormat(&out, "    %s %s, newest at LSN %s, first seen %s\n",
                        HumanCount(entry.events), entry.events == 1 ? "change" : "changes",
                        entry.lsn, Timestamp(entry.first_seen));
  if (!entry.image.empty()) absl::StrAppend(&out, "    row of OLD: ", entry.image, "\n");
  if (!entry.before.empty()) absl::StrAppend(&out, "    before: ", entry.before, "\n");
  if (!entry.rows_there.empty()) {
    const std::string& after = entry.rows_after;
    absl::StrAppend(&out, "    before: ", entry.rows_before,
                    "\n    after: ", after.empty() ? "can't be computed" : after,
                    "\n    there: ", entry.rows_there, "\n");
  }
  if (!entry.detail.empty()) absl::StrAppend(&out, "    detail: ", entry.detail, "\n");
  return absl::StrCat(out, "    next: ", NextOf(entry), "\n");
}

ordered_json Object(const std::string& text) {
  return ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::string QuarantineText(const QuarantineReport& report) {
  if (report.total == 0) return report.stream + ": the quarantine is empty\n";
  std::string out;
  for (const QuarantineEntry& entry : report.entries) out += EntryText(entry);
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
                       {"scope", Object(entry.scope)},
                       {"operation", entry.operation},
                       {"lsn", entry.lsn},
                       {"sqlstate", entry.sqlstate},
                       {"error", entry.error},
                       {"events", entry.events},
                       {"first_seen", Timestamp(entry.first_seen)},
                       {"last_seen", Timestamp(entry.last_seen)}});
    if (!entry.image.empty()) entries.back()["image"] = Object(entry.image);
    if (!entry.before.empty()) entries.back()["before"] = Object(entry.before);
    if (!entry.detail.empty()) entries.back()["detail"] = entry.detail;
    for (const auto& [word, rows] :
         {std::pair("rows_before", &entry.rows_before), std::pair("rows_after", &entry.rows_after),
          std::pair("rows_there", &entry.rows_there)}) {
      if (!rows->empty()) entries.back()[word] = Object(*rows);
    }
    entries.back()["next"] = NextOf(entry);
  }
  const ordered_json object = {
      {"stream", report.stream}, {"total", report.total}, {"entries", std::move(entries)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string QuarantineRetryText(const QuarantineRetryReport& report) {
  return absl::StrCat(report.stream, ": ", report.answer, "\n");
}

std::string QuarantineRetryJson(const QuarantineRetryReport& report) {
  const ordered_json object = {
      {"stream", report.stream}, {"request", report.request}, {"answer", report.answer}};
  return object.dump(2) + "\n";
}

}  // namespace switchyard::operate
