#include "operate/report/plan_report.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"
#include "operate/report/table_text.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

constexpr size_t kLineMax = 98;

// Comma-separated, broken into lines under `indent` blanks.
std::string Wrapped(const std::vector<std::string>& words, size_t indent) {
  std::string out;
  std::string line(indent, ' ');
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i] + (i + 1 < words.size() ? "," : "");
    if (line.size() > indent && line.size() + 1 + word.size() > kLineMax) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += " ";
    line += word;
  }
  return out + line + "\n";
}

std::string TablesText(const PlanReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const PlannedTable& table : report.tables) {
    rows.push_back({table.table, table.row_local ? "row by row" : "by scope",
                    "from " + absl::StrJoin(table.reads, ", ")});
  }
  return AlignColumns(rows, {Align::kLeft, Align::kLeft, Align::kLeft}, 2);
}

// Which rows a changed row touches; what is derived can be taken over under `from` as it stands.
std::string RulesText(const PlannedTable& table) {
  std::string out = table.rules.empty() ? "" : "  touched by a changed row of\n";
  for (const PlannedRule& rule : table.rules) {
    const std::string sql(absl::StripTrailingAsciiWhitespace(rule.touches));
    const bool lines = sql.find('\n') != std::string::npos || sql.size() > kLineMax / 2;
    absl::StrAppend(&out, "    ", rule.table, rule.derived ? " (derived):" : ":",
                    lines ? "\n      " : " ", absl::StrReplaceAll(sql, {{"\n", "\n      "}}), "\n");
  }
  return out;
}

std::string PatchText(const PlannedTable& table) {
  std::string out =
      "  patched: only what changed in its rows is written\n"
      "    rows before: from a second session, which sees the mirror as it was\n";
  absl::StrAppend(&out, "    rows that vanish: ", table.vanish, "\n");
  if (!table.lossy.empty()) {
    absl::StrAppend(&out, "    written, but not compared with what the table has: ",
                    absl::StrJoin(table.lossy, ", "), "\n");
  }
  return out;
}

std::string DetailsText(const PlanReport& report) {
  std::string out;
  for (const PlannedTable& table : report.tables) {
    absl::StrAppend(&out, "\n", table.table, ": ",
                    table.row_local ? "each row of OLD gives its own row"
                                    : "recomputed by " + absl::StrJoin(table.scope, ", "),
                    "\n");
    if (!table.why_keyed.empty()) absl::StrAppend(&out, "  because ", table.why_keyed, "\n");
    if (!table.owns.empty()) absl::StrAppend(&out, "  only rows where ", table.owns, "\n");
    if (table.patch) absl::StrAppend(&out, PatchText(table));
    absl::StrAppend(&out, "  fills\n", Wrapped(table.columns, 4), RulesText(table));
  }
  return out;
}

std::string MirrorsText(const PlanReport& report) {
  if (report.mirrors.empty()) return "\nMirrored in NEW: nothing\n";
  std::string out = absl::StrCat("\nMirrored in NEW (schema ", report.mirror_schema, ")\n");
  for (const PlannedMirror& mirror : report.mirrors) {
    absl::StrAppend(&out, "  ", mirror.table, "\n", Wrapped(mirror.columns, 4));
    for (const std::string& index : mirror.indexes) absl::StrAppend(&out, "    ", index, "\n");
  }
  return out;
}

std::string ListText(std::string_view title, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  return absl::StrCat("\n", Sv(title), "\n", Wrapped(names, 2));
}

}  // namespace

std::string PlanReportText(const PlanReport& report) {
  return absl::StrCat(
      report.migration, ": ", report.tables.size(), " tables of NEW, fingerprint ",
      report.fingerprint, "\n", TablesText(report), DetailsText(report), MirrorsText(report),
      ListText("Columns of OLD that no mapping reads (map them or list them under ignore)",
               report.unread_columns),
      ListText("Tables of OLD that no mapping reads (map them or list them under ignore)",
               report.unread_tables),
      ListText("Left behind, as said under ignore", report.ignored));
}

std::string PlanReportJson(const PlanReport& report) {
  ordered_json tables = ordered_json::array();
  for (const PlannedTable& table : report.tables) {
    ordered_json rules = ordered_json::array();
    for (const PlannedRule& rule : table.rules) {
      rules.push_back(
          {{"table", rule.table}, {"touches", rule.touches}, {"derived", rule.derived}});
    }
    tables.push_back({{"table", table.table},
                      {"row_local", table.row_local},
                      {"reads", table.reads},
                      {"why_keyed", table.why_keyed},
                      {"scope", table.scope},
                      {"columns", table.columns},
                      {"owns", table.owns},
                      {"rules", std::move(rules)}});
    if (!table.patch) continue;
    tables.back()["patch"] = {{"vanish", table.vanish}, {"lossy", table.lossy}};
  }
  ordered_json mirrors = ordered_json::array();
  for (const PlannedMirror& mirror : report.mirrors) {
    mirrors.push_back(
        {{"table", mirror.table}, {"columns", mirror.columns}, {"indexes", mirror.indexes}});
  }
  const ordered_json object = {{"migration", report.migration},
                               {"fingerprint", report.fingerprint},
                               {"tables", std::move(tables)},
                               {"mirrors", std::move(mirrors)},
                               {"unread_columns", report.unread_columns},
                               {"unread_tables", report.unread_tables},
                               {"ignored", report.ignored}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
