#include "verify/repair.h"

#include <nlohmann/json.hpp>
#include <set>

namespace switchyard::verify {

std::vector<std::string> ScopesOf(const std::vector<records::ParityDifference>& differences,
                                  const std::vector<std::string>& scope_columns) {
  std::set<std::string> scopes;
  for (const records::ParityDifference& difference : differences) {
    for (const auto* image : {&difference.expected, &difference.actual}) {
      if (!image->has_value()) continue;
      const auto row = nlohmann::json::parse(**image, nullptr, /*allow_exceptions=*/false);
      nlohmann::json scope = nlohmann::json::object();
      for (const std::string& column : scope_columns) {
        if (row.is_object() && row.contains(column)) scope[column] = row[column];
      }
      if (scope.size() == scope_columns.size()) scopes.insert(scope.dump());
    }
  }
  return {scopes.begin(), scopes.end()};
}

}  // namespace switchyard::verify
