#include "common/changes/relation_map.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/catalog/narrowing.h"

namespace switchyard::changes {
namespace {

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

}  // namespace

absl::Status Fits(const mapping::SourcePlan& source, const event::v1::Relation& relation) {
  for (const mapping::StageColumn& column : source.columns) {
    const int index = IndexOf(relation, column.name);
    const char* change = WhatChanged(column, index < 0 ? nullptr : &relation.columns(index));
    if (change == nullptr) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "column %s of %s.%s %s on the source since the mapping was compiled; next: mend "
        "the migration file, then run: switchyard resume FILE",
        column.name, relation.schema(), relation.name(), change));
  }
  return absl::OkStatus();
}

// A partition born since the plan was made is known by its root.
int RelationMap::SourceOf(const event::v1::Relation& relation) const {
  for (size_t s = 0; s < plan_.sources.size(); ++s) {
    const mapping::SourcePlan& source = plan_.sources[s];
    if (std::ranges::count(source.relation_ids, relation.relation_id()) > 0 ||
        (relation.root_relation_id() != 0 && relation.root_relation_id() == source.relation_id)) {
      return static_cast<int>(s);
    }
  }
  return -1;
}

void RelationMap::Learn(const event::v1::Relation& relation) {
  Relation known{.source = SourceOf(relation), .tuple_size = relation.columns_size()};
  if (known.source >= 0) {
    for (const mapping::StageColumn& column : plan_.sources[known.source].columns) {
      known.tuple_index.push_back(IndexOf(relation, column.name));
    }
    known.fit = Fits(plan_.sources[known.source], relation);
  }
  relations_[relation.relation_id()] = std::move(known);
}

const RelationMap::Relation* RelationMap::Find(uint32_t relation_id) const {
  const auto it = relations_.find(relation_id);
  return it == relations_.end() ? nullptr : &it->second;
}

bool RelationMap::CoversAll(int source, const std::set<uint32_t>& relation_ids) const {
  return std::ranges::all_of(plan_.sources[source].relation_ids,
                             [&](uint32_t id) { return relation_ids.contains(id); }) &&
         std::ranges::all_of(relations_, [&](const auto& known) {
           return known.second.source != source || relation_ids.contains(known.first);
         });
}

absl::StatusOr<Value*> RelationMap::CopyTuple(const Relation& relation, const TupleView& tuple,
                                              Arena* arena, int64_t* bytes) {
  const std::string_view kinds = tuple.kinds;
  if (static_cast<int>(kinds.size()) != relation.tuple_size) {
    return absl::DataLossError(absl::StrFormat("a row of %d columns where its table has %d",
                                               kinds.size(), relation.tuple_size));
  }
  // Place of each column's value among the values sent.
  places_.resize(kinds.size());
  int next = 0;
  for (size_t i = 0; i < kinds.size(); ++i) places_[i] = kinds[i] == 't' ? next++ : -1;
  if (next != static_cast<int>(tuple.values.size())) {
    return absl::DataLossError(
        absl::StrFormat("a row with %d values where %d are announced", tuple.values.size(), next));
  }
  Value* row = arena->AllocateArray<Value>(relation.tuple_index.size());
  for (size_t c = 0; c < relation.tuple_index.size(); ++c) {
    const int at = relation.tuple_index[c];
    if (places_[at] >= 0) {
      const std::string_view text = arena->Copy(tuple.values[places_[at]]);
      row[c] = {text.data(), static_cast<int32_t>(text.size())};
      *bytes += static_cast<int64_t>(text.size());
    } else {
      row[c] = {nullptr, kinds[at] == 'u' ? Value::kAbsent : Value::kNull};
    }
    *bytes += sizeof(Value);
  }
  return row;
}

}  // namespace switchyard::changes
