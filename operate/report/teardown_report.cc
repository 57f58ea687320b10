#include "operate/report/teardown_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

const char* NameOf(TeardownStep::Side side) {
  switch (side) {
    case TeardownStep::Side::kOld:
      return "OLD";
    case TeardownStep::Side::kNew:
      return "NEW";
    case TeardownStep::Side::kLog:
      return "log";
  }
  return "";
}

std::string OwnerText(const TeardownStep& step) {
  return step.owner.empty() ? "" : absl::StrCat(" (as ", step.owner, ")");
}

std::string ScriptText(const TeardownReport& report) {
  std::string out;
  for (const TeardownStep& step : report.steps) {
    absl::StrAppend(&out, "-- ", NameOf(step.side), ": ", step.what, OwnerText(step), "\n",
                    step.side == TeardownStep::Side::kLog ? "-- " : "", step.statement, "\n");
  }
  return out;
}

std::string DoneText(const TeardownReport& report) {
  std::string removed;
  std::string left;
  for (const TeardownStep& step : report.steps) {
    if (step.left.empty()) {
      absl::StrAppend(&removed, "  ", NameOf(step.side), "  ", step.what, "\n");
    } else {
      absl::StrAppend(&left, "  ", NameOf(step.side), "  ", step.what, ": ", step.left,
                      "\n    next: ", step.statement, OwnerText(step), "\n");
    }
  }
  std::string out;
  if (!removed.empty()) absl::StrAppend(&out, report.migration, ": removed\n", removed);
  if (!left.empty()) absl::StrAppend(&out, report.migration, ": still there\n", left);
  return out;
}

// A slot that nobody reads keeps all of its server's WAL.
std::string WithoutText(TeardownStep::Side without, const std::string& mirror_schema) {
  const bool old = without == TeardownStep::Side::kOld;
  const Finding rest = {
      absl::StrCat(NameOf(without), " was not looked at. Where it is not gone after all, it keeps ",
                   old ? std::string("the replication slot (which keeps its WAL from being "
                                     "removed), the publication and schema switchyard")
                       : "its rows, and schemas switchyard and " + mirror_schema),
      absl::StrCat("switchyard teardown FILE --only ", old ? "old" : "new")};
  return TextOf(rest) + "\n";
}

}  // namespace

bool TeardownReport::complete() const {
  return std::ranges::all_of(steps, [](const TeardownStep& step) { return step.left.empty(); });
}

std::string TeardownText(const TeardownReport& report) {
  std::string out = report.shown_only ? ScriptText(report) : DoneText(report);
  if (report.steps.empty()) {
    const std::string databases = !report.without                               ? "OLD, on NEW"
                                  : *report.without == TeardownStep::Side::kOld ? "NEW"
                                                                                : "OLD";
    out = absl::StrCat(report.shown_only ? "-- " : "", report.migration,
                       ": nothing of it is left on ", databases, " and on the log\n");
  }
  const char* margin = report.shown_only ? "-- " : "";
  if (report.without) {
    absl::StrAppend(&out, margin, WithoutText(*report.without, report.mirror_schema));
  }
  for (const std::string& note : report.notes) absl::StrAppend(&out, margin, note, "\n");
  for (const std::string& worker : report.workers) absl::StrAppend(&out, margin, worker, "\n");
  return out;
}

std::string TeardownJson(const TeardownReport& report) {
  ordered_json steps = ordered_json::array();
  for (const TeardownStep& step : report.steps) {
    steps.push_back({{"side", NameOf(step.side)},
                     {"what", step.what},
                     {"statement", step.statement},
                     {"owner", step.owner},
                     {"removed", !report.shown_only && step.left.empty()},
                     {"left", step.left}});
  }
  const ordered_json object = {{"migration", report.migration},
                               {"shown_only", report.shown_only},
                               {"complete", report.complete()},
                               {"steps", std::move(steps)},
                               {"notes", report.notes},
                               {"workers", report.workers},
                               {"without", report.without ? NameOf(*report.without) : ""}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
