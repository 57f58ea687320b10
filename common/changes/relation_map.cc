#include "common/changes/relation_map.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/catalog/narrowing.h"

namespace switchyard::changes {
namespace {

constexpr char kResume[] = "run: switchyard resume FILE";

// What the column has become by its number; null: it is the one that was compiled. A table that is
// no more has its columns' numbers in the root only.
const char* OtherColumn(const mapping::SourcePlan& source, size_t index,
                        const event::v1::Relation& relation, const event::v1::Column& now) {
  const bool leaf = relation.root_relation_id() != 0;
  const int32_t expected = source.columns[index].number;
  const auto number = [&](const event::v1::Column& column) {
    return leaf ? column.root_attnum() : column.attnum();
  };
  if (expected == 0) return nullptr;
  if (number(now) == 0) return "can't be told from others of that name, for the table was altered";
  if (number(now) != expected) {
    const bool there = std::ranges::any_of(
        relation.columns(), [&](const event::v1::Column& c) { return number(c) == expected; });
    return there ? "has another name, and another column has that one"
                 : "was dropped and made again, or another column has its name";
  }
  const auto own = source.leaf_numbers.find(relation.relation_id());
  const bool same = !leaf || own == source.leaf_numbers.end() || own->second[index] == 0 ||
                    now.attnum() == 0 || now.attnum() == own->second[index];
  return same ? nullptr : "was dropped and made again";
}

const char* WhatChanged(const mapping::StageColumn& column, const event::v1::Column* now) {
  if (now == nullptr) return "was dropped or renamed";
  if (column.type_oid == 0) return nullptr;
  if (now->type_oid() != column.type_oid) return "changed its type";
  const char* lost = catalog::LostInAssignment({now->type_oid(), now->type_modifier()},
                                               {column.type_oid, column.type_modifier}, true);
  return lost == nullptr ? nullptr : "has more digits or fields";
}

int IndexOf(const event::v1::Relation& relation, const std::string& column) {
  for (int i = 0; i < relation.columns_size(); ++i) {
    if (relation.columns(i).name() == column) return i;
  }
  return -1;
}

// The key's values come with the change, in its old tuple.
bool MayBeAbsent(const mapping::SourcePlan& source, int column) {
  return source.columns[column].toastable || std::ranges::count(source.key, column) > 0;
}

absl::Status LeftOut(const mapping::SourcePlan& source, size_t column) {
  return Refuse(absl::StrFormat(
                    "an update of %s.%s leaves out column %s, which none did when the mapping was "
                    "compiled: its type or the replica identity was changed on the source since",
                    source.schema, source.name, source.columns[column].name),
                kResume);
}

}  // namespace

absl::Status Fits(const mapping::SourcePlan& source, const event::v1::Relation& relation) {
  for (size_t i = 0; i < source.columns.size(); ++i) {
    const mapping::StageColumn& column = source.columns[i];
    const int index = IndexOf(relation, column.name);
    const event::v1::Column* now = index < 0 ? nullptr : &relation.columns(index);
    const char* change = WhatChanged(column, now);
    if (change == nullptr) change = OtherColumn(source, i, relation, *now);
    if (change == nullptr) continue;
    return Refuse(
        absl::StrFormat("column %s of %s.%s %s on the source since the mapping was compiled",
                        column.name, relation.schema(), relation.name(), change),
        "mend the migration file, then run: switchyard resume FILE");
  }
  return absl::OkStatus();
}

absl::Status Identifies(const mapping::SourcePlan& source, const event::v1::Relation& relation) {
  for (const int key : source.key) {
    const std::string& column = source.columns[key].name;
    const int index = IndexOf(relation, column);
    if (index >= 0 && relation.columns(index).in_identity()) continue;
    return Refuse(absl::StrFormat(
                      "the replica identity of %s.%s does not hold column %s, by which its rows "
                      "are known here: it was changed on the source since the mapping was compiled",
                      relation.schema(), relation.name(), column),
                  kResume);
  }
  return absl::OkStatus();
}

// A partition born since the plan was made is known by its root.
mapping::SourceIndex RelationMap::SourceOf(const event::v1::Relation& relation) const {
  for (const mapping::SourceIndex s : plan_.source_indices()) {
    const mapping::SourcePlan& source = plan_.sources[s];
    if (std::ranges::count(source.relation_ids, relation.relation_id()) > 0 ||
        (relation.root_relation_id() != 0 && relation.root_relation_id() == source.relation_id)) {
      return s;
    }
  }
  return {};
}

void RelationMap::Learn(const event::v1::Relation& relation) {
  Relation known{.source = SourceOf(relation), .tuple_size = relation.columns_size()};
  if (known.source.valid()) {
    for (const mapping::StageColumn& column : plan_.sources[known.source].columns) {
      known.tuple_index.push_back(IndexOf(relation, column.name));
    }
    known.fit = Fits(plan_.sources[known.source], relation);
    known.fit.Update(Identifies(plan_.sources[known.source], relation));
  }
  relations_[relation.relation_id()] = std::move(known);
}

const RelationMap::Relation* RelationMap::Find(uint32_t relation_id) const {
  const auto it = relations_.find(relation_id);
  return it == relations_.end() ? nullptr : &it->second;
}

absl::StatusOr<Value*> RelationMap::CopyTuple(const Relation& relation, const TupleView& tuple,
                                              Arena* arena, int64_t* bytes) {
  const std::string_view kinds = tuple.kinds;
  if (static_cast<int>(kinds.size()) != relation.tuple_size) {
    return Lost(absl::StrFormat("a row of %d columns where its table has %d", kinds.size(),
                                relation.tuple_size),
                kCopyAllAnew);
  }
  // Place of each column's value among the values sent.
  places_.resize(kinds.size());
  int next = 0;
  for (size_t i = 0; i < kinds.size(); ++i) places_[i] = kinds[i] == 't' ? next++ : -1;
  if (next != static_cast<int>(tuple.values.size())) {
    return Lost(
        absl::StrFormat("a row with %d values where %d are announced", tuple.values.size(), next),
        kCopyAllAnew);
  }
  const mapping::SourcePlan& source = plan_.sources[relation.source];
  Value* row = arena->AllocateArray<Value>(relation.tuple_index.size());
  for (size_t c = 0; c < relation.tuple_index.size(); ++c) {
    const int at = relation.tuple_index[c];
    if (places_[at] >= 0) {
      const std::string_view text = arena->Copy(tuple.values[places_[at]]);
      row[c] = {text.data(), static_cast<int32_t>(text.size())};
      *bytes += static_cast<int64_t>(text.size());
    } else {
      const bool absent = kinds[at] == 'u';
      if (absent && !MayBeAbsent(source, static_cast<int>(c))) return LeftOut(source, c);
      row[c] = {nullptr, absent ? Value::kAbsent : Value::kNull};
    }
    *bytes += sizeof(Value);
  }
  return row;
}

}  // namespace switchyard::changes
