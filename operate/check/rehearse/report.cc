#include "operate/check/rehearse/report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

std::string Indented(const std::string& text) {
  std::string out;
  for (const auto line : absl::StrSplit(text, '\n')) absl::StrAppend(&out, "    ", line, "\n");
  return out;
}

std::string FaultText(const RehearsalFault& fault, uint64_t seed) {
  std::string out =
      absl::StrFormat("%s:%d:%d: from of %s misses scopes that %s touches\n", fault.file,
                      fault.line, fault.column, fault.mapping, fault.table);
  absl::StrAppend(&out, "  rehearsed: ", fault.mutation, "\n");
  if (!fault.scope.empty()) {
    absl::StrAppend(&out, "  scope ", fault.scope,
                    fault.stayed ? ": a row stayed that was to go or to change\n"
                                 : ": a row that was to come did not\n");
  }
  if (fault.derived) {
    absl::StrAppend(&out, "  the rule was told from the select, so this is a fault of Switchyard: ",
                    "report it with the select. Until it is mended, say under from which values ",
                    "a row of ", fault.table, " touches\n");
  } else if (!fault.rule.empty()) {
    absl::StrAppend(&out, "  the select reaches it by:\n", Indented(fault.rule),
                    "  Add this under from: ", fault.table, ", joined by UNION ALL; or leave ",
                    fault.table, " out of from, then its rule is told from the select\n");
  }
  absl::StrAppend(&out, "  seed ", seed, "\n");
  return out;
}

ordered_json FaultJson(const RehearsalFault& fault) {
  ordered_json object = {{"file", fault.file},         {"line", fault.line},
                         {"column", fault.column},     {"mapping", fault.mapping},
                         {"table", fault.table},       {"changed", fault.changed},
                         {"mutation", fault.mutation}, {"stayed", fault.stayed},
                         {"derived", fault.derived},   {"rule", fault.rule}};
  if (!fault.scope.empty()) object["scope"] = fault.scope;
  return object;
}

std::string Count(size_t count, const char* noun) {
  return absl::StrFormat("%d %s%s", count, noun, count == 1 ? "" : "s");
}

}  // namespace

std::string_view VerdictWord(RehearsalReport::Verdict verdict) {
  switch (verdict) {
    case RehearsalReport::Verdict::kClean:
      return "clean";
    case RehearsalReport::Verdict::kFaults:
      return "faults";
    case RehearsalReport::Verdict::kInconclusive:
      return "inconclusive";
  }
  return "";
}

std::string RehearsalText(const RehearsalReport& report) {
  std::string out;
  for (const RehearsalFault& fault : report.faults) out += FaultText(fault, report.seed);
  for (const std::string& note : report.notes) absl::StrAppend(&out, "note: ", note, "\n");
  if (!report.not_rehearsed.empty()) {
    absl::StrAppend(&out, "not rehearsed, no change of these alone changed NEW: ",
                    absl::StrJoin(report.not_rehearsed, ", "), "\n");
  }
  for (const UnneededLookUp& one : report.unneeded) {
    absl::StrAppend(&out, "no batch needed this look-up, it may be superfluous: from of ",
                    one.mapping, ", ", one.table, ":\n", Indented(one.sql));
  }
  absl::StrAppendFormat(
      &out, "rehearsed %s in %.1f s (%d more were refused): %s, %s, %d of %s needed; seed %d\n",
      report.batches == 1 ? "1 batch" : absl::StrCat(report.batches, " batches"), report.seconds,
      report.refused, Count(report.tables.size(), "table"), Count(report.columns.size(), "column"),
      report.look_ups - static_cast<int64_t>(report.unneeded.size()),
      Count(static_cast<size_t>(report.look_ups), "look-up"), report.seed);
  if (!report.kept)
    out += "not kept: NEW is not set up, or the role may not write its tables there\n";
  switch (report.verdict) {
    case RehearsalReport::Verdict::kClean:
      absl::StrAppend(&out, report.path, ": no missing rule was found\n");
      break;
    case RehearsalReport::Verdict::kFaults:
      absl::StrAppend(&out, report.path, ": ", Count(report.faults.size(), "fault"), "\n");
      break;
    case RehearsalReport::Verdict::kInconclusive:
      absl::StrAppend(&out, report.path, ": inconclusive: ", report.why, "\n");
      break;
  }
  return out;
}

std::string RehearsalJson(const RehearsalReport& report) {
  ordered_json faults = ordered_json::array();
  for (const RehearsalFault& fault : report.faults) faults.push_back(FaultJson(fault));
  ordered_json unneeded = ordered_json::array();
  for (const UnneededLookUp& one : report.unneeded) {
    unneeded.push_back({{"mapping", one.mapping}, {"table", one.table}, {"sql", one.sql}});
  }
  const ordered_json object = {{"migration", report.migration},
                               {"path", report.path},
                               {"verdict", VerdictWord(report.verdict)},
                               {"why", report.why},
                               {"fingerprint", report.fingerprint},
                               {"seed", report.seed},
                               {"batches", report.batches},
                               {"refused", report.refused},
                               {"seconds", report.seconds},
                               {"tables", report.tables},
                               {"columns", report.columns},
                               {"not_rehearsed", report.not_rehearsed},
                               {"look_ups", report.look_ups},
                               {"unneeded", std::move(unneeded)},
                               {"faults", std::move(faults)},
                               {"notes", report.notes},
                               {"kept", report.kept}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
