#include "capture/publish/side_table.h"

#include <algorithm>

#include "common/records/cutover/ownership.h"
#include "common/records/mark.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {
namespace {

using records::Direction;

bool IsOld(std::string_view stream) { return records::DirectionOf(stream) == Direction::kForward; }

std::optional<size_t> IndexOf(const RelationMessage& relation, std::string_view column) {
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].name == column) return i;
  }
  return std::nullopt;
}

}  // namespace

SideTable::SideTable(std::string_view stream)
    : migration_(records::MigrationOf(stream)),
      table_(IsOld(stream) ? records::kOldSideTable : records::kOwnershipTable),
      column_(IsOld(stream) ? "state" : "owner"),
      owning_(IsOld(stream) ? records::ToString(records::OldSide::State::kOpen)
                            : records::ToString(records::Side::kNew)) {}

bool SideTable::Take(const RelationMessage& relation) {
  tables_.erase(relation.relation_id);
  if (relation.schema != records::kMarkSchema || relation.name != table_) return false;
  const auto migration = IndexOf(relation, "migration");
  const auto word = IndexOf(relation, column_);
  Columns columns;
  if (migration && word) columns = {*migration, *word};
  tables_[relation.relation_id] = columns;
  return true;
}

std::optional<bool> SideTable::SourceOwns(const RowMessage& row) const {
  const Columns& at = tables_.at(row.relation_id);
  const TupleFields& fields = row.new_fields;
  if (row.op == RowMessage::Op::kDelete || std::max(at.migration, at.word) >= fields.size() ||
      fields[at.migration].value != migration_) {
    return std::nullopt;
  }
  return fields[at.word].value == owning_;
}

}  // namespace switchyard::capture
