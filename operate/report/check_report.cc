#include "operate/report/check_report.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

std::string_view WhereWord(CheckFault::Where where) {
  switch (where) {
    case CheckFault::Where::kFile:
      return "file";
    case CheckFault::Where::kOld:
      return "old";
    case CheckFault::Where::kNew:
      return "new";
    case CheckFault::Where::kLog:
      return "log";
  }
  return "";
}

std::string_view KindWord(CheckFault::Kind kind) {
  switch (kind) {
    case CheckFault::Kind::kNotReady:
      return "not_ready";
    case CheckFault::Kind::kMistake:
      return "mistake";
    case CheckFault::Kind::kUnreachable:
      return "unreachable";
  }
  return "";
}

std::string Place(const CheckFault& fault) {
  if (fault.where != CheckFault::Where::kFile) return std::string(WhereWord(fault.where));
  if (fault.line == 0) return fault.file;
  return absl::StrFormat("%s:%d:%d", fault.file, fault.line, fault.column);
}

// Every line of a remedy under its fault, indented.
std::string Indented(const std::string& text) {
  std::string out;
  for (const auto line : absl::StrSplit(text, '\n')) absl::StrAppend(&out, "    ", line, "\n");
  return out;
}

}  // namespace

std::string CheckReportText(const CheckReport& report) {
  std::string out;
  for (const CheckFault& fault : report.faults) {
    absl::StrAppend(&out, Place(fault), ": ", fault.message, "\n");
    if (!fault.remedy.empty()) out += Indented(fault.remedy);
  }
  for (const std::string& warning : report.warnings)
    absl::StrAppend(&out, "warning: ", warning, "\n");
  for (const std::string& fact : report.facts) absl::StrAppend(&out, fact, "\n");
  if (report.ok()) {
    absl::StrAppend(&out, report.path, ": ok",
                    report.offline ? " (the file only; no database was asked)" : "", "\n");
  } else {
    absl::StrAppend(&out, report.path, ": ", report.faults.size(),
                    report.faults.size() == 1 ? " fault\n" : " faults\n");
  }
  return out;
}

std::string CheckReportJson(const CheckReport& report) {
  ordered_json faults = ordered_json::array();
  for (const CheckFault& fault : report.faults) {
    ordered_json object = {{"where", WhereWord(fault.where)},
                           {"kind", KindWord(fault.kind)},
                           {"message", fault.message}};
    if (!fault.file.empty()) object["file"] = fault.file;
    if (fault.line > 0) object["line"] = fault.line;
    if (fault.column > 0) object["column"] = fault.column;
    if (!fault.remedy.empty()) object["remedy"] = fault.remedy;
    faults.push_back(std::move(object));
  }
  const ordered_json object = {
      {"migration", report.migration}, {"path", report.path},         {"ok", report.ok()},
      {"offline", report.offline},     {"faults", std::move(faults)}, {"warnings", report.warnings},
      {"facts", report.facts}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
