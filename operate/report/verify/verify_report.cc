#include "operate/report/verify/verify_report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "operate/report/human.h"
#include "operate/report/table_text.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;
using records::ParityDifference;
using records::ParityTable;
using records::Verdict;

// More of them are for `--show`.
constexpr size_t kDifferencesShown = 10;

std::string NameOf(const ParityTable& table) {
  return table.owns.empty() ? table.table : absl::StrCat(table.table, " where ", table.owns);
}

int64_t DifferencesOf(const ParityTable& table) {
  return table.missing + table.different + table.extra;
}

std::string DifferenceText(const ParityDifference& one) {
  std::string out = absl::StrCat("  ", one.kind, "  ", one.table, " ", one.key, "\n");
  if (one.expected) absl::StrAppend(&out, "    OLD says: ", *one.expected, "\n");
  if (one.actual) absl::StrAppend(&out, "    NEW has:  ", *one.actual, "\n");
  return out;
}

std::string TablesText(const std::vector<ParityTable>& tables) {
  std::vector<std::vector<std::string>> rows = {
      {"table", "rows", "missing", "different", "extra", ""}};
  for (const ParityTable& table : tables) {
    rows.push_back({NameOf(table), HumanCount(table.rows), HumanCount(table.missing),
                    HumanCount(table.different), HumanCount(table.extra),
                    records::ToString(table.verdict)});
  }
  return AlignColumns(
      rows,
      {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kLeft}, 0);
}

// Which of the tables differ says where to go on.
std::string NextText(const VerifyReport& report) {
  std::string out;
  for (const ParityTable& table : report.tables) {
    if (DifferencesOf(table) == 0) continue;
    absl::StrAppend(&out, "next: all rows that differ: switchyard verify FILE --show ", table.table,
                    "\n");
  }
  if (!out.empty() && report.repairs.empty()) {
    absl::StrAppend(&out, "next: once the cause is known: switchyard verify FILE --repair\n");
  }
  return out;
}

ordered_json Object(const std::optional<std::string>& text) {
  if (!text.has_value()) return nullptr;
  return ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
}

ordered_json TableJson(const ParityTable& table) {
  return {{"table", table.table},
          {"owns", table.owns},
          {"rows_compared", table.rows},
          {"missing", table.missing},
          {"different", table.different},
          {"extra", table.extra},
          {"verdict", records::ToString(table.verdict)},
          {"reason", table.reason},
          {"lsn", table.lsn.ToString()}};
}

ordered_json DifferencesArray(const std::vector<ParityDifference>& differences) {
  ordered_json array = ordered_json::array();
  for (const ParityDifference& one : differences) {
    array.push_back({{"table", one.table},
                     {"key", Object(one.key)},
                     {"kind", one.kind},
                     {"old", Object(one.expected)},
                     {"new", Object(one.actual)}});
  }
  return array;
}

std::string Dump(const ordered_json& object) {
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string VerifyText(const VerifyReport& report) {
  std::string out;
  if (!report.tables.empty()) out += TablesText(report.tables);
  for (size_t i = 0; i < report.differences.size() && i < kDifferencesShown; ++i) {
    out += DifferenceText(report.differences[i]);
  }
  for (const std::string& line : report.left_out) {
    absl::StrAppend(&out, "not compared: ", line, "\n");
  }
  if (report.quarantined.has_value() && *report.quarantined > 0) {
    absl::StrAppend(&out, "quarantine: ", HumanCount(*report.quarantined),
                    " rows or scopes wait there, and are counted as they are in NEW: switchyard "
                    "quarantine FILE list\n");
  }
  for (const std::string& repair : report.repairs) absl::StrAppend(&out, "repair: ", repair, "\n");
  if (report.lsn.has_value()) {
    absl::StrAppendFormat(
        &out, "both as of LSN %s of OLD, in %s; the replayer was held for %d ms\n",
        report.lsn->ToString(), HumanDuration(report.took), absl::ToInt64Milliseconds(report.held));
  }
  absl::StrAppend(&out, report.stream, ": ", records::ToString(report.verdict),
                  report.reason.empty() ? "" : ": " + report.reason, "\n");
  return out + NextText(report);
}

std::string VerifyJson(const VerifyReport& report) {
  ordered_json tables = ordered_json::array();
  int64_t differences = 0;
  for (const ParityTable& table : report.tables) {
    tables.push_back(TableJson(table));
    differences += DifferencesOf(table);
  }
  return Dump({{"verdict", records::ToString(report.verdict)},
               {"stream", report.stream},
               {"reason", report.reason},
               {"lsn", report.lsn ? ordered_json(report.lsn->ToString()) : ordered_json(nullptr)},
               {"fingerprint", report.fingerprint},
               {"held_ms", absl::ToInt64Milliseconds(report.held)},
               {"seconds", std::round(absl::ToDoubleSeconds(report.took) * 1000) / 1000},
               {"tables", std::move(tables)},
               {"differences", DifferencesArray(report.differences)},
               {"differences_found", differences},
               {"left_out", report.left_out},
               {"quarantined",
                report.quarantined ? ordered_json(*report.quarantined) : ordered_json(nullptr)},
               {"repairs", report.repairs}});
}

std::string DifferencesText(const DifferencesReport& report) {
  std::string out;
  int64_t found = 0;
  for (const ParityDifference& one : report.differences) out += DifferenceText(one);
  for (const ParityTable& table : report.results) {
    found += DifferencesOf(table);
    absl::StrAppendFormat(&out, "%s: %s, as of LSN %s of OLD%s\n", NameOf(table),
                          records::ToString(table.verdict), table.lsn.ToString(),
                          table.reason.empty() ? "" : ": " + table.reason);
  }
  if (found > static_cast<int64_t>(report.differences.size())) {
    absl::StrAppendFormat(&out, "%s rows differ, the first %s are shown\n", HumanCount(found),
                          HumanCount(static_cast<int64_t>(report.differences.size())));
  }
  return out;
}

std::string DifferencesJson(const DifferencesReport& report) {
  ordered_json results = ordered_json::array();
  Verdict verdict = Verdict::kClean;
  for (const ParityTable& table : report.results) {
    results.push_back(TableJson(table));
    verdict = std::max(verdict, table.verdict);
  }
  return Dump({{"verdict", records::ToString(verdict)},
               {"stream", report.stream},
               {"tables", std::move(results)},
               {"differences", DifferencesArray(report.differences)}});
}

}  // namespace switchyard::operate
