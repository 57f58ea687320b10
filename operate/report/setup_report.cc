#include "operate/report/setup_report.h"

#include <nlohmann/json.hpp>

namespace switchyard::operate {

std::string SetupJson(const SetupReport& report) {
  return nlohmann::ordered_json{{"migration", report.migration}, {"sql", report.sql}}.dump(2) +
         "\n";
}

}  // namespace switchyard::operate
