#include "operate/report/init_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace switchyard::operate {
namespace {

std::string Counted(int count, const char* one, const char* many) {
  return absl::StrFormat("%d %s", count, count == 1 ? one : many);
}

}  // namespace

std::string InitText(const InitReport& report) {
  if (report.path.empty()) return report.yaml;
  return absl::StrFormat(
      "%s: %s copied by name, %s to confirm (\"# guessed\"), %s to answer (\"# ?\")\n"
      "Next: switchyard check %s\n",
      report.path, Counted(report.tables, "table", "tables"),
      Counted(report.guesses, "guess", "guesses"),
      Counted(report.questions, "question", "questions"), report.path);
}

std::string InitJson(const InitReport& report) {
  const nlohmann::ordered_json object = {
      {"migration", report.migration},
      {"path",
       report.path.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(report.path)},
      {"tables", report.tables},
      {"guesses", report.guesses},
      {"questions", report.questions},
      {"yaml", report.yaml}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
