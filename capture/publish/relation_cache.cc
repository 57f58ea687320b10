#include "capture/publish/relation_cache.h"

#include "absl/strings/str_format.h"
#include "common/base/finding.h"

namespace switchyard::capture {
namespace {

absl::Status ColumnCountError(const CachedRelation& relation, size_t count) {
  return Lost(absl::StrFormat("a row of %s.%s (relation %d) has %d columns, its description %d",
                              relation.schema, relation.name, relation.relation_id, count,
                              relation.column_count),
              kCopyAllAnew);
}

// Without `row`, of the old one. What was not sent again is as it was.
std::string_view MakeKey(const TupleFields* row, const TupleFields* old, CachedRelation* relation) {
  relation->key->Start();
  for (const uint16_t i : relation->identity_columns) {
    const TupleField* field = row == nullptr ? &(*old)[i] : &(*row)[i];
    if (field->kind == 'u' && old != nullptr) field = &(*old)[i];
    switch (field->kind) {
      case 't':
        relation->key->AddText(field->value);
        break;
      case 'n':
        relation->key->AddNull();
        break;
      default:
        relation->key->AddUnchanged();
        break;
    }
  }
  return relation->key->Finish();
}

}  // namespace

std::string_view KeyOf(const RowMessage& row, CachedRelation* relation) {
  return MakeKey(row.op == RowMessage::Op::kDelete ? nullptr : &row.new_fields,
                 row.old_kind == 0 ? nullptr : &row.old_fields, relation);
}

std::string_view OldKeyOf(const RowMessage& row, CachedRelation* relation) {
  return MakeKey(nullptr, &row.old_fields, relation);
}

const CachedRelation& RelationCache::Put(const RelationMessage& message,
                                         std::string_view key_schema, std::string_view key_table) {
  CachedRelation& relation = relations_[message.relation_id];
  relation.relation_id = message.relation_id;
  relation.schema = message.schema;
  relation.name = message.name;
  relation.replica_identity = message.replica_identity;
  relation.column_count = message.columns.size();
  relation.identity_columns.clear();
  for (size_t i = 0; i < message.columns.size(); ++i) {
    if (message.columns[i].in_identity) {
      relation.identity_columns.push_back(static_cast<uint16_t>(i));
    }
  }
  relation.key.emplace(key_schema, key_table);
  return relation;
}

CachedRelation* RelationCache::FindSlow(uint32_t relation_id) {
  const auto found = relations_.find(relation_id);
  if (found == relations_.end()) return nullptr;
  last_ = &found->second;
  return last_;
}

absl::StatusOr<CachedRelation*> RelationCache::Check(const RowMessage& row) {
  CachedRelation* relation = Find(row.relation_id);
  if (relation == nullptr) {
    return Lost(absl::StrFormat("a row of relation %d came before the description of that relation",
                                row.relation_id),
                kCopyAllAnew);
  }
  if (row.op != RowMessage::Op::kDelete && row.new_fields.size() != relation->column_count) {
    return ColumnCountError(*relation, row.new_fields.size());
  }
  if (row.old_kind != 0 && row.old_fields.size() != relation->column_count) {
    return ColumnCountError(*relation, row.old_fields.size());
  }
  return relation;
}

}  // namespace switchyard::capture
