#include "common/changes/table_collapse.h"

#include <algorithm>

namespace switchyard::changes {

TableCollapse::TableCollapse(const mapping::SourcePlan& source, mapping::SourceIndex source_index)
    : source_(source_index),
      key_(source.key),
      id_columns_(source.id_columns),
      columns_(source.columns.size()) {}

const Value* TableCollapse::KeyOf(const Value* row, Arena* arena) const {
  Value* out = arena->AllocateArray<Value>(key_.size());
  for (size_t i = 0; i < key_.size(); ++i) out[i] = row[key_[i]];
  return out;
}

void TableCollapse::Insert(const Value* row, Arena* arena) {
  const KeyRef key = Ref(KeyOf(row, arena));
  const auto gone = dead_.find(key);
  if (gone != dead_.end()) {  // deleted before in this batch: now an update of every column
    entries_[gone->second].row = row;
    live_[key] = gone->second;
    dead_.erase(gone);
    return;
  }
  live_[key] = static_cast<int>(entries_.size());
  entries_.push_back({.row = row});
}

void TableCollapse::Update(const Value* row, const Value* key_before, Arena* arena) {
  const Value* key_after = KeyOf(row, arena);
  if (key_before == nullptr) key_before = key_after;
  const auto it = live_.find(Ref(key_before));
  int index = 0;
  if (it == live_.end()) {
    index = static_cast<int>(entries_.size());
    entries_.push_back({.row = row, .old_key = key_before});
  } else {
    index = it->second;
    const Value* next = CarriedForward(row, entries_[index].row, arena);
    KeepPassed(entries_[index], next);
    entries_[index].row = next;
    live_.erase(it);
  }
  live_[Ref(key_after)] = index;
}

bool TableCollapse::HasAbsent(const Value* row) const {
  return std::any_of(row, row + columns_, [](const Value& v) { return v.is_absent(); });
}

// `row` with its absent values taken from `before`.
const Value* TableCollapse::CarriedForward(const Value* row, const Value* before,
                                           Arena* arena) const {
  if (!HasAbsent(row)) return row;
  Value* out = arena->AllocateArray<Value>(columns_);
  for (size_t i = 0; i < columns_; ++i) out[i] = row[i].is_absent() ? before[i] : row[i];
  return out;
}

// What the row is, before it is `next` (null: no more). By itself it would have got its ids.
void TableCollapse::KeepPassed(const Entry& entry, const Value* next) {
  const auto differs = [&](int i) {
    const Value& value = entry.row[i];
    return value.size != next[i].size || value.text() != next[i].text();
  };
  if (id_columns_.empty()) return;
  if (next != nullptr && std::ranges::none_of(id_columns_, differs)) return;
  entries_.push_back({.row = entry.row, .old_key = entry.old_key, .passed = true});
}

void TableCollapse::Delete(const Value* key_before) {
  const auto it = live_.find(Ref(key_before));
  if (it == live_.end()) {
    if (truncated_) return;
    dead_[Ref(key_before)] = static_cast<int>(entries_.size());
    entries_.push_back({.old_key = key_before});
    return;
  }
  KeepPassed(entries_[it->second], nullptr);
  Entry& entry = entries_[it->second];
  entry.row = nullptr;
  if (entry.old_key == nullptr) {
    entry.dropped = true;
  } else {
    dead_[Ref(entry.old_key)] = it->second;
  }
  live_.erase(it);
}

void TableCollapse::Truncate() {
  truncated_ = true;
  for (size_t i = 0, count = entries_.size(); i < count; ++i) {
    if (entries_[i].row != nullptr && !entries_[i].passed) KeepPassed(entries_[i], nullptr);
  }
  std::erase_if(entries_, [](const Entry& entry) { return !entry.passed; });
  live_.clear();
  dead_.clear();
}

TableChanges TableCollapse::Changes(Arena* arena) const {
  TableChanges table{.source = source_, .truncated = truncated_};
  for (const Entry& entry : entries_) {
    if (entry.dropped) continue;
    Change change{.row = entry.row, .old_key = entry.old_key};
    if (entry.row == nullptr) {
      change.op = Op::kDelete;
    } else if (entry.passed || entry.old_key != nullptr) {
      const bool same_key =
          entry.old_key != nullptr && Ref(KeyOf(entry.row, arena)) == Ref(entry.old_key);
      change.op = entry.passed ? Op::kPassed : same_key ? Op::kUpdate : Op::kMove;
      change.has_absent = HasAbsent(entry.row);
      table.has_absent |= change.has_absent && !entry.passed;
    }
    ++table.counts[TableChanges::Index(change.op)];
    table.changes.push_back(change);
  }
  return table;
}

}  // namespace switchyard::changes
