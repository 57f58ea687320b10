#include "capture/publish/column_numbers.h"

#include <algorithm>

namespace switchyard::capture {
namespace {

const NumberedColumn* Find(const NumberedColumns& columns, std::string_view name,
                           uint32_t type_oid) {
  const auto found = std::ranges::find_if(columns.live, [&](const NumberedColumn& column) {
    return column.name == name && column.type_oid == type_oid;
  });
  return found == columns.live.end() ? nullptr : &*found;
}

const NumberedColumn* FindNumber(const NumberedColumns& columns, int32_t number) {
  const auto found = std::ranges::find(columns.live, number, &NumberedColumn::number);
  return found == columns.live.end() ? nullptr : &*found;
}

// A message lists the columns by number, so those found by name and type must come in this order.
// Between two of them: a column that is there now was there then and is in the message, if perhaps
// by another name or type; and where the message has as many others as there are numbers, each has
// the one in its place. False: the message is of other columns.
bool Number(const std::vector<RelationColumn>& message, const NumberedColumns& columns,
            std::vector<int32_t>* numbers) {
  int last_place = -1;
  int32_t last_number = 0;
  const auto fill = [&](int place, int32_t number) {
    const auto others_now = std::ranges::count_if(columns.live, [&](const NumberedColumn& column) {
      return column.number > last_number && column.number < number;
    });
    const int others_then = place - last_place - 1;
    const int32_t room = number - last_number - 1;
    const bool at_end = place == static_cast<int>(message.size());
    if (room < others_then || (!at_end && others_now > others_then)) return false;
    for (int i = 1; room == others_then && i <= others_then; ++i) {
      (*numbers)[last_place + i] = last_number + i;
    }
    return true;
  };
  for (int i = 0; i < static_cast<int>(message.size()); ++i) {
    const NumberedColumn* found = Find(columns, message[i].name, message[i].type_oid);
    if (found == nullptr) continue;
    if (!fill(i, found->number)) return false;
    (*numbers)[i] = last_number = found->number;
    last_place = i;
  }
  return fill(static_cast<int>(message.size()), columns.last + 1);
}

}  // namespace

std::vector<ColumnNumbers> MatchColumns(const std::vector<RelationColumn>& message,
                                        const NumberedColumns& own, const NumberedColumns& root) {
  std::vector<ColumnNumbers> result(message.size());
  std::vector<int32_t> numbers(message.size());
  const bool gone = own.last == 0;
  if (!gone && !Number(message, own, &numbers)) return result;
  for (size_t i = 0; i < message.size(); ++i) {
    const NumberedColumn* now = FindNumber(own, numbers[i]);
    const NumberedColumn* in_root = nullptr;
    if (gone) in_root = Find(root, message[i].name, message[i].type_oid);
    if (now != nullptr) in_root = Find(root, now->name, now->type_oid);
    result[i] = {.own = numbers[i], .root = in_root == nullptr ? 0 : in_root->number};
  }
  return result;
}

absl::StatusOr<std::vector<ColumnNumbers>> LoadColumnNumbers(pg::Session& session,
                                                             const RelationMessage& message,
                                                             uint32_t root_id) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session.Query(R"(
    SELECT attrelid, attname, atttypid, attnum, attisdropped OR attgenerated <> ''
    FROM pg_attribute WHERE attrelid IN ($1::oid, $2::oid) AND attnum > 0
    ORDER BY attrelid, attnum)",
                                 {std::to_string(message.relation_id), std::to_string(root_id)}));
  NumberedColumns own;
  NumberedColumns root;
  for (int i = 0; i < rows.rows(); ++i) {
    const bool is_own = static_cast<uint32_t>(rows.i64(i, 0)) == message.relation_id;
    NumberedColumns& columns = is_own ? own : root;
    columns.last = static_cast<int32_t>(rows.i64(i, 3));
    if (rows.boolean(i, 4)) continue;
    columns.live.push_back({.name = rows.str(i, 1),
                            .type_oid = static_cast<uint32_t>(rows.i64(i, 2)),
                            .number = columns.last});
  }
  return MatchColumns(message.columns, own, root);
}

}  // namespace switchyard::capture
