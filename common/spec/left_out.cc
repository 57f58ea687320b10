#include "common/spec/left_out.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/spec/sql_syntax.h"

namespace switchyard::spec {
namespace {

// Better one too many: a name is taken for the column's whatever it is qualified with.
class Names {
 public:
  Names(const Direction& direction, TableName table, std::string column)
      : direction_(direction), table_(std::move(table)), column_(std::move(column)) {}

  bool In(const std::string& sql) const {
    if (sql.empty()) return false;
    const std::optional<SqlReads> reads = ReadsOf(sql);
    if (!reads) return true;
    const bool names_table = IsAmong(reads->tables);
    if (StartsQuery(sql) && !names_table) return false;
    return (reads->rows && names_table) || reads->columns.contains(column_) ||
           IsAmong(reads->columns);
  }
  bool IsTable(const TableName& written) const {
    const auto alias = direction_.aliases.find(written.name);
    const bool aliased = written.schema.empty() && alias != direction_.aliases.end();
    const TableName& meant = aliased ? alias->second : written;
    return meant.name == table_.name && (meant.schema.empty() || meant.schema == table_.schema);
  }

 private:
  // The table, by its own name or another; among columns, its row.
  bool IsAmong(const std::set<std::string>& names) const {
    return names.contains(table_.name) ||
           std::ranges::any_of(direction_.aliases, [&](const auto& alias) {
             return alias.second == table_ && names.contains(alias.first);
           });
  }

  const Direction& direction_;
  const TableName table_;
  const std::string column_;
};

bool InSqlOf(const Mapping& mapping, const Names& names) {
  return names.In(mapping.select) || names.In(mapping.where) || names.In(mapping.owns) ||
         std::ranges::any_of(mapping.set, [&](const auto& set) { return names.In(set.second); }) ||
         std::ranges::any_of(mapping.from,
                             [&](const FromRule& rule) { return names.In(rule.touches); });
}

}  // namespace

bool LeavesOut(const Direction& direction, const TableName& table, const std::string& column) {
  const Names names(direction, table, column);
  const bool ignored =
      std::ranges::count(direction.ignore, table.name + "." + column) > 0 ||
      std::ranges::count(direction.ignore, table.schema + "." + table.name + "." + column) > 0;
  bool read = false;  // the table
  for (const Mapping& mapping : direction.mappings) {
    if (InSqlOf(mapping, names)) return false;
    read |= std::ranges::any_of(mapping.reads,
                                [&](const TableName& one) { return names.IsTable(one); });
    if (!mapping.copy || !names.IsTable(*mapping.copy)) continue;
    if (!ignored && std::ranges::count(mapping.drop, column) == 0) return false;
    read = true;
  }
  for (const IdMapRule& rule : direction.id_maps) {
    if (names.IsTable(rule.table) || names.In(rule.old_id) || names.In(rule.new_id)) return false;
  }
  for (const MirrorIndex& index : direction.mirror_indexes) {
    if (names.IsTable(index.table)) return false;
  }
  return read;
}

}  // namespace switchyard::spec
