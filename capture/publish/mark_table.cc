#include "capture/publish/mark_table.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "common/base/strings.h"
#include "common/records/mark.h"

namespace switchyard::capture {
namespace {

std::optional<size_t> IndexOf(const RelationMessage& relation, std::string_view column) {
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].name == column) return i;
  }
  return std::nullopt;
}

}  // namespace

MarkTable::MarkTable(std::string_view stream) : migration_(records::MigrationOf(stream)) {}

bool MarkTable::Take(const RelationMessage& relation) {
  tables_.erase(relation.relation_id);
  if (relation.schema != records::kMarkSchema || relation.name != records::kMarkTable) return false;
  const auto migration = IndexOf(relation, "migration");
  const auto writer = IndexOf(relation, "writer");
  const auto xid = IndexOf(relation, "xid");
  Columns columns;
  if (migration && writer && xid) columns = {*migration, *writer, *xid};
  tables_[relation.relation_id] = columns;
  return true;
}

std::string_view MarkTable::WriterOf(const RowMessage& row, uint32_t xid) const {
  const Columns& at = tables_.at(row.relation_id);
  const TupleFields& fields = row.new_fields;
  const size_t last = std::max({at.migration, at.writer, at.xid});
  if (row.op != RowMessage::Op::kUpdate || last >= fields.size()) return {};
  uint64_t marked = 0;
  if (fields[at.migration].value != migration_ ||
      !absl::SimpleAtoi(Sv(fields[at.xid].value), &marked)) {
    return {};
  }
  return static_cast<uint32_t>(marked) == xid ? fields[at.writer].value : std::string_view();
}

}  // namespace switchyard::capture
