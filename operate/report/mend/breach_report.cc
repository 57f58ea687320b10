#include "operate/report/mend/breach_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "operate/report/human.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string EntryText(const BreachEntry& entry) {
  std::string out =
      absl::StrFormat("%s  %s %s of %s %s\n    at LSN %s, seen %s\n", entry.id, entry.operation,
                      entry.table, entry.side, entry.key, entry.lsn, Timestamp(entry.seen));
  if (!entry.before.empty()) absl::StrAppend(&out, "    before: ", entry.before, "\n");
  if (!entry.after.empty()) absl::StrAppend(&out, "    after: ", entry.after, "\n");
  return out;
}

ordered_json Object(const std::string& text) {
  if (text.empty()) return nullptr;
  return ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::string BreachText(const BreachReport& report) {
  if (report.total == 0) {
    return report.migration + ": nobody wrote to the side that does not own\n";
  }
  std::string out;
  for (const BreachEntry& entry : report.entries) out += EntryText(entry);
  absl::StrAppendFormat(&out, "%s: %s written to the side that does not own", report.migration,
                        report.total == 1 ? "1 row was" : HumanCount(report.total) + " rows were");
  if (static_cast<int64_t>(report.entries.size()) < report.total) {
    absl::StrAppendFormat(&out, ", the first %d shown", report.entries.size());
  }
  return out + "\n";
}

std::string BreachJson(const BreachReport& report) {
  ordered_json entries = ordered_json::array();
  for (const BreachEntry& entry : report.entries) {
    entries.push_back({{"id", entry.id},
                       {"side", entry.side},
                       {"table", entry.table},
                       {"operation", entry.operation},
                       {"lsn", entry.lsn},
                       {"key", Object(entry.key)},
                       {"before", Object(entry.before)},
                       {"after", Object(entry.after)},
                       {"seen", Timestamp(entry.seen)}});
  }
  const ordered_json object = {
      {"migration", report.migration}, {"total", report.total}, {"entries", std::move(entries)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string BreachAppliedText(const BreachApplied& applied) {
  return absl::StrCat(applied.stream, ": ", applied.answer, "\n");
}

std::string BreachAppliedJson(const BreachApplied& applied) {
  const ordered_json object = {
      {"stream", applied.stream}, {"request", applied.request}, {"answer", applied.answer}};
  return object.dump(2) + "\n";
}

}  // namespace switchyard::operate
