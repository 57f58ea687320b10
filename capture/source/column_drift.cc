#include "capture/source/column_drift.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace switchyard::capture {
namespace {

using Json = nlohmann::json;

// Of what was kept by another version nothing is known.
Json Rows(const std::string& text) {
  Json rows = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return rows.is_array() ? rows : Json::array();
}

struct Column {
  std::string name;
  int64_t type_id = 0;
  std::string type;
  bool plain = false;
  std::optional<std::string> missing;
  std::string version;
  int64_t default_id = 0;
  int64_t collation_id = 0;
  std::string expression, functions;  // empty unless generated

  bool generated() const { return !expression.empty(); }
};
using Columns = std::map<int, Column>;  // by number

Columns ColumnsOf(const std::string& text) {
  Columns columns;
  for (const Json& row : Rows(text)) {
    if (!row.is_array() || row.size() != 12) continue;
    Column& column = columns[row[0].get<int>()];
    column.name = row[1].get<std::string>();
    column.type_id = row[2].get<int64_t>();
    column.type = row[4].get<std::string>();
    column.plain = row[5].get<bool>();
    if (!row[6].is_null()) column.missing = row[6].get<std::string>();
    column.version = row[7].get<std::string>();
    if (!row[8].is_null()) column.default_id = row[8].get<int64_t>();
    column.collation_id = row[9].get<int64_t>();
    if (!row[10].is_null()) column.expression = row[10].get<std::string>();
    if (!row[11].is_null()) column.functions = row[11].get<std::string>();
  }
  return columns;
}

int NumberOf(const Columns& columns, const std::string& name) {
  const auto it =
      std::ranges::find_if(columns, [&](const auto& column) { return column.second.name == name; });
  return it == columns.end() ? 0 : it->first;
}

std::string ColumnChange(const Column& was, const Column& is) {
  if (was.name != is.name) {
    return absl::StrFormat("column %s was renamed to %s", was.name, is.name);
  }
  if (was.type_id != is.type_id) {
    return absl::StrFormat("column %s changed its type from %s to %s", was.name, was.type, is.type);
  }
  if (was.plain != is.plain) {
    return absl::StrFormat("column %s may%s be stored out of line now", was.name,
                           is.plain ? " not" : "");
  }
  if (was.collation_id != is.collation_id) {
    return absl::StrFormat("column %s has another collation", is.name);
  }
  return "";
}

std::string ExpressionChange(const Column& was, const Column& is) {
  if (!was.generated()) return "";
  if (!is.generated()) return absl::StrFormat("column %s is generated no more", is.name);
  if (was.expression != is.expression) {
    return absl::StrFormat("generated column %s has another expression", is.name);
  }
  if (was.functions != is.functions) {
    return absl::StrFormat("generated column %s is computed by another function now", is.name);
  }
  return "";
}

bool HasOldValues(const Column& was, const Column& is) {
  if (was.generated()) return true;  // its own changes are told
  if (was.version == is.version) return true;
  return was.missing && !is.missing && was.default_id != 0 && was.default_id == is.default_id;
}

struct Part {
  int64_t id = 0;  // label oid or attribute number
  std::string name;
  int64_t type_id = 0;
  int64_t modifier = -1;
  std::string type;
  std::string version;  // of a label
};
struct Type {
  std::string name;
  bool is_enum = false;
  std::vector<Part> parts;
};

std::map<int64_t, Type> TypesOf(const std::string& text) {
  std::map<int64_t, Type> types;
  for (const Json& row : Rows(text)) {
    if (!row.is_array() || row.size() != 4 || !row[3].is_array()) continue;
    Type& type = types[row[0].get<int64_t>()];
    type.name = row[1].get<std::string>();
    type.is_enum = row[2].get<std::string>() == "e";
    for (const Json& part : row[3]) {
      type.parts.push_back({.id = part[0].get<int64_t>(),
                            .name = part[1].get<std::string>(),
                            .type_id = part[2].get<int64_t>(),
                            .modifier = part[3].get<int64_t>(),
                            .type = part[4].get<std::string>(),
                            .version = part.size() < 6 ? "" : part[5].get<std::string>()});
    }
  }
  return types;
}

const Part* Find(const std::vector<Part>& parts, int64_t id) {
  const auto it = std::ranges::find(parts, id, &Part::id);
  return it == parts.end() ? nullptr : &*it;
}

// Of the labels that are in both.
std::vector<int64_t> OrderOf(const std::vector<Part>& parts, const std::vector<Part>& others) {
  std::vector<int64_t> order;
  for (const Part& part : parts) {
    if (Find(others, part.id) != nullptr) order.push_back(part.id);
  }
  return order;
}

std::string PartChange(const char* what, const Part& was, const Part* is) {
  // A domain's base and a range's subtype have no name.
  const std::string part = was.name.empty() ? "it" : absl::StrFormat("%s %s", what, was.name);
  if (is == nullptr) return part + " was dropped";
  if (was.name != is->name) return absl::StrFormat("%s was renamed to %s", part, is->name);
  if (was.type_id != is->type_id || was.modifier != is->modifier) {
    return absl::StrFormat("%s is over %s now, was over %s", part, is->type, was.type);
  }
  if (!was.version.empty() && was.version != is->version) {
    return part + " had another name for a while";
  }
  return "";
}

std::vector<std::string> ChangesOf(const Type& was, const Type& is) {
  const char* what = was.is_enum ? "value" : "attribute";
  std::vector<std::string> changes;
  for (const Part& part : was.parts) {
    std::string change = PartChange(what, part, Find(is.parts, part.id));
    if (!change.empty()) changes.push_back(std::move(change));
  }
  if (was.is_enum) {
    if (OrderOf(was.parts, is.parts) != OrderOf(is.parts, was.parts)) {
      changes.emplace_back("its values have another order");
    }
    return changes;
  }
  for (const Part& part : is.parts) {
    if (Find(was.parts, part.id) == nullptr) {
      changes.push_back(absl::StrFormat("attribute %s was added", part.name));
    }
  }
  return changes;
}

}  // namespace

std::string WithoutColumns(const std::string& columns,
                           const std::function<bool(const std::string& column)>& left_out) {
  Json kept = Json::array();
  for (const Json& row : Rows(columns)) {
    if (!row.is_array() || row.size() < 2 || left_out(row[1].get<std::string>())) continue;
    kept.push_back(row);
  }
  return kept.dump();
}

std::vector<std::string> ColumnChanges(const std::string& before, const std::string& now) {
  std::vector<std::string> changes;
  if (before == now) return changes;
  const Columns was = ColumnsOf(before);
  const Columns is = ColumnsOf(now);
  for (const auto& [number, column] : was) {
    const auto there = is.find(number);
    if (there != is.end()) {
      std::string change = ColumnChange(column, there->second);
      if (!change.empty()) changes.push_back(std::move(change));
    }
    const int other = NumberOf(is, column.name);
    if (other == 0 || was.contains(other)) continue;  // nobody's, or renamed: told there
    if (column.generated()) continue;                 // see ExpressionChanges
    changes.push_back(there == is.end()
                          ? absl::StrFormat("column %s was dropped and made again", column.name)
                          : absl::StrFormat("another column %s was made", column.name));
  }
  return changes;
}

std::vector<std::string> ExpressionChanges(const std::string& before, const std::string& now) {
  std::vector<std::string> changes;
  if (before == now) return changes;
  const Columns is = ColumnsOf(now);
  for (const auto& [number, column] : ColumnsOf(before)) {
    // Dropped and made again it is computed all the same.
    const auto there = is.find(is.contains(number) ? number : NumberOf(is, column.name));
    if (there == is.end()) continue;
    std::string change = ExpressionChange(column, there->second);
    if (!change.empty()) changes.push_back(std::move(change));
  }
  return changes;
}

bool HasGenerated(const std::string& columns) {
  return std::ranges::any_of(ColumnsOf(columns),
                             [](const auto& column) { return column.second.generated(); });
}

std::vector<std::string> OwnExpressions(const std::string& root, const std::string& partition) {
  const Columns whole = ColumnsOf(root);
  const Columns part = ColumnsOf(partition);
  const bool alike = std::ranges::all_of(whole, [&](const auto& column) {
    const auto there = part.find(column.first);
    return there != part.end() && there->second.name == column.second.name;
  });
  std::vector<std::string> changes;
  for (const auto& [number, column] : whole) {
    const auto there = part.find(NumberOf(part, column.name));
    if (there == part.end()) continue;
    const bool differs = column.generated() != there->second.generated() ||
                         (alike && column.expression != there->second.expression);
    if (differs) {
      changes.push_back(absl::StrFormat(
          "column %s is computed in another way than in the rest of the table", column.name));
    }
  }
  return changes;
}

std::vector<std::string> MissingValueChanges(const std::string& before, const std::string& now) {
  std::vector<std::string> changes;
  if (before == now) return changes;
  const Columns is = ColumnsOf(now);
  for (const auto& [number, column] : ColumnsOf(before)) {
    const auto there = is.find(number);
    if (there == is.end() || there->second.missing == column.missing) continue;
    changes.push_back(absl::StrFormat(
        "rows from before column %s was added have another value there", column.name));
  }
  return changes;
}

bool ValuesWereKept(const std::string& before, const std::string& now) {
  const Columns is = ColumnsOf(now);
  const Columns was = ColumnsOf(before);
  return !was.empty() && std::ranges::all_of(was, [&](const auto& column) {
    const auto there = is.find(column.first);
    return there == is.end() || HasOldValues(column.second, there->second);
  });
}

std::vector<std::string> TypeChanges(const std::string& before, const std::string& now) {
  std::vector<std::string> changes;
  if (before == now) return changes;
  const std::map<int64_t, Type> is = TypesOf(now);
  for (const auto& [oid, type] : TypesOf(before)) {
    const auto there = is.find(oid);
    if (there == is.end()) continue;  // its column went, or has another type
    const std::vector<std::string> of_type = ChangesOf(type, there->second);
    if (of_type.empty()) continue;
    changes.push_back(absl::StrFormat("type %s: %s", type.name, absl::StrJoin(of_type, ", ")));
  }
  return changes;
}

}  // namespace switchyard::capture
