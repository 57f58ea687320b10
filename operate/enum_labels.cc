#include "operate/enum_labels.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

const catalog::UserType* EnumOf(const catalog::Catalog& catalog, const catalog::Column& column) {
  const auto type = std::ranges::find(catalog.types, column.type_oid, &catalog::UserType::oid);
  return type != catalog.types.end() && type->kind == 'e' ? &*type : nullptr;
}

const catalog::Table* CopiedTable(const spec::Direction& direction, const spec::Mapping& mapping,
                                  const catalog::Catalog& catalog) {
  if (!mapping.copy) return nullptr;
  const auto alias = direction.aliases.find(mapping.copy->name);
  const bool aliased = mapping.copy->schema.empty() && alias != direction.aliases.end();
  const spec::TableName& meant = aliased ? alias->second : *mapping.copy;
  const auto table = std::ranges::find_if(catalog.tables, [&](const catalog::Table& candidate) {
    return candidate.name == meant.name &&
           (meant.schema.empty() || meant.schema == candidate.schema);
  });
  return table == catalog.tables.end() ? nullptr : &*table;
}

// The column of NEW that a column goes to as it is.
std::optional<std::string> CopiedTo(const spec::Mapping& mapping, const std::string& column) {
  if (std::ranges::count(mapping.drop, column) > 0) return std::nullopt;
  const auto renamed =
      std::ranges::find(mapping.rename, column, &std::pair<std::string, std::string>::first);
  const std::string name = renamed == mapping.rename.end() ? column : renamed->second;
  const bool computed =
      std::ranges::count(mapping.set, name, &std::pair<std::string, std::string>::first) > 0;
  return computed ? std::nullopt : std::optional(name);
}

std::optional<std::string> Lacks(const catalog::Table& table, const catalog::Column& column,
                                 const catalog::UserType& from, const catalog::UserType& to) {
  std::vector<std::string> missing;
  for (const std::string& label : from.labels) {
    if (std::ranges::count(to.labels, label) == 0) missing.push_back(QuoteLiteral(label));
  }
  if (missing.empty()) return std::nullopt;
  std::vector<std::string> additions;
  for (const std::string& label : missing) {
    additions.push_back(
        absl::StrCat("ALTER TYPE ", QuoteQualified(to.schema, to.name), " ADD VALUE ", label, ";"));
  }
  return absl::StrCat(
      "column ", column.name, " of ", table.Display(), " is of NEW's type ", to.schema, ".",
      to.name, ", which lacks ", absl::StrJoin(missing, ", "), " of OLD's ", from.schema, ".",
      from.name,
      ": rows with such a value wait in quarantine. On NEW: ", absl::StrJoin(additions, " "));
}

}  // namespace

std::vector<std::string> MissingLabels(const spec::Direction& direction,
                                       const catalog::Catalog& old_catalog,
                                       const catalog::Catalog& new_catalog) {
  std::vector<std::string> sentences;
  for (const spec::Mapping& mapping : direction.mappings) {
    const catalog::Table* from = CopiedTable(direction, mapping, old_catalog);
    const catalog::Table* to = new_catalog.Find(mapping.target.schema, mapping.target.name);
    if (from == nullptr || to == nullptr) continue;
    for (const catalog::Column& column : from->columns) {
      const std::optional<std::string> name = CopiedTo(mapping, column.name);
      const catalog::Column* target = name ? to->FindColumn(*name) : nullptr;
      if (target == nullptr) continue;
      const catalog::UserType* old_type = EnumOf(old_catalog, column);
      const catalog::UserType* new_type = EnumOf(new_catalog, *target);
      if (old_type == nullptr || new_type == nullptr) continue;
      if (auto lacks = Lacks(*to, *target, *old_type, *new_type)) {
        sentences.push_back(*std::move(lacks));
      }
    }
  }
  return sentences;
}

}  // namespace switchyard::operate
