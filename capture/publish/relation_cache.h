// The latest description of each relation the stream has sent: a repeated Relation message
// replaces the one before.
//
// Thread-compatible: the capture loop owns it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/decode/pgoutput_decoder.h"
#include "common/base/status.h"
#include "common/eventlog/record_key.h"

namespace switchyard::capture {

struct CachedRelation {
  uint32_t relation_id = 0;
  std::string schema;
  std::string name;
  char replica_identity = 'd';
  size_t column_count = 0;
  std::vector<uint16_t> identity_columns;  // positions in a tuple
  std::optional<eventlog::RecordKey> key;  // always set by Put
};

// The key of `row`'s log record: of the new row, or of the deleted one. Valid until the next call
// for this relation.
std::string_view KeyOf(const RowMessage& row, CachedRelation* relation);
// Of the row before this update, which sent its old identity.
std::string_view OldKeyOf(const RowMessage& row, CachedRelation* relation);

class RelationCache {
 public:
  // `key_schema` and `key_table` name the table in the keys of its rows: its root's, if it has one.
  const CachedRelation& Put(const RelationMessage& message, std::string_view key_schema,
                            std::string_view key_table);

  // Nullptr when the stream never described it. Stays valid.
  CachedRelation* Find(uint32_t relation_id) {
    if (last_ != nullptr && last_->relation_id == relation_id) return last_;
    return FindSlow(relation_id);
  }

  // DataLoss when `row` does not fit the relation it names: one that was never described, or
  // another number of columns.
  absl::StatusOr<CachedRelation*> Check(const RowMessage& row);

 private:
  CachedRelation* FindSlow(uint32_t relation_id);

  std::unordered_map<uint32_t, CachedRelation> relations_;  // references stay valid
  CachedRelation* last_ = nullptr;                          // rows of one table come in runs
};

}  // namespace switchyard::capture
