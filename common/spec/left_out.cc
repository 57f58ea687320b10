#include "common/spec/left_out.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"

namespace switchyard::spec {
namespace {

bool IsWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool HasWord(const std::string& text, const std::string& word) {
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWord(text[at - 1])) && (end == text.size() || !IsWord(text[end]))) {
      return true;
    }
  }
  return false;
}

// Better one too many: a whole row may be read by its table's name.
class Names {
 public:
  Names(const Direction& direction, const TableName& table, const std::string& column)
      : direction_(direction), table_(table) {
    words_ = {absl::AsciiStrToLower(column), absl::AsciiStrToLower(table.name)};
    for (const auto& [alias, meant] : direction.aliases) {
      if (meant == table) words_.push_back(absl::AsciiStrToLower(alias));
    }
  }

  bool In(const std::string& sql) const {
    const std::string text = absl::AsciiStrToLower(sql);
    return std::ranges::any_of(words_,
                               [&](const std::string& word) { return HasWord(text, word); });
  }
  bool IsTable(const TableName& written) const {
    const auto alias = direction_.aliases.find(written.name);
    const bool aliased = written.schema.empty() && alias != direction_.aliases.end();
    const TableName& meant = aliased ? alias->second : written;
    return meant.name == table_.name && (meant.schema.empty() || meant.schema == table_.schema);
  }

 private:
  const Direction& direction_;
  const TableName& table_;
  std::vector<std::string> words_;  // in lower case
};

bool InSqlOf(const Mapping& mapping, const Names& names) {
  return names.In(mapping.select) || names.In(mapping.where) || names.In(mapping.owns) ||
         std::ranges::any_of(mapping.set, [&](const auto& set) { return names.In(set.second); }) ||
         std::ranges::any_of(mapping.from, [&](const FromRule& rule) {
           return names.IsTable(rule.table) || names.In(rule.touches);
         });
}

}  // namespace

bool LeavesOut(const Direction& direction, const TableName& table, const std::string& column) {
  const Names names(direction, table, column);
  const bool ignored =
      std::ranges::count(direction.ignore, table.name + "." + column) > 0 ||
      std::ranges::count(direction.ignore, table.schema + "." + table.name + "." + column) > 0;
  bool copied = false;
  for (const Mapping& mapping : direction.mappings) {
    if (InSqlOf(mapping, names)) return false;
    if (!mapping.copy || !names.IsTable(*mapping.copy)) continue;
    if (!ignored && std::ranges::count(mapping.drop, column) == 0) return false;
    copied = true;
  }
  for (const IdMapRule& rule : direction.id_maps) {
    if (names.IsTable(rule.table) || names.In(rule.old_id) || names.In(rule.new_id)) return false;
  }
  for (const MirrorIndex& index : direction.mirror_indexes) {
    if (names.IsTable(index.table)) return false;
  }
  return copied;
}

}  // namespace switchyard::spec
