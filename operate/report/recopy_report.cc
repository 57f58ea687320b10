#include "operate/report/recopy_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

}  // namespace

std::string RecopyText(const RecopyReport& report) {
  if (!report.answer.empty()) {
    return absl::StrCat(report.stream, ": ", report.table, " ", report.answer, "\n");
  }
  return absl::StrFormat(
      "%s: a copy of %s is asked for (request %d). The live rows stay until it is swapped in; "
      "follow it with: switchyard status FILE --watch\n",
      report.stream, report.table, report.request);
}

std::string RecopyJson(const RecopyReport& report) {
  ordered_json object = {
      {"stream", report.stream}, {"request", report.request}, {"table", report.table}};
  if (!report.answer.empty()) object["answer"] = report.answer;
  return object.dump(2) + "\n";
}

std::string RecopyAllText(const RecopyAllReport& report) {
  return absl::StrFormat(
      "%s: NEW's mapped tables are emptied and everything is forgotten. The next start makes a new "
      "slot and copies %d tables: switchyard run FILE\n",
      report.stream, report.tables);
}

std::string RecopyAllJson(const RecopyAllReport& report) {
  const ordered_json object = {{"stream", report.stream}, {"tables", report.tables}};
  return object.dump(2) + "\n";
}

}  // namespace switchyard::operate
