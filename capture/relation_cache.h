// The latest description of each relation the stream has sent: a repeated Relation message
// replaces the one before.
//
// Thread-compatible: the capture loop owns it.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/pgoutput_decoder.h"
#include "common/base/status.h"

namespace switchyard::capture {

struct CachedRelation {
  uint32_t relation_id = 0;
  std::string schema;
  std::string name;
  char replica_identity = 'd';
  size_t column_count = 0;
  std::vector<uint16_t> identity_columns;  // positions in a tuple
};

class RelationCache {
 public:
  const CachedRelation& Put(const RelationMessage& message);

  // Nullptr when the stream never described it. Valid until the next Put of the same relation.
  const CachedRelation* Find(uint32_t relation_id) const {
    if (last_ != nullptr && last_->relation_id == relation_id) return last_;
    return FindSlow(relation_id);
  }

  // DataLoss when `row` does not fit the relation it names: one that was never described, or
  // another number of columns.
  absl::StatusOr<const CachedRelation*> Check(const RowMessage& row) const;

 private:
  const CachedRelation* FindSlow(uint32_t relation_id) const;

  std::unordered_map<uint32_t, CachedRelation> relations_;  // references stay valid
  mutable const CachedRelation* last_ = nullptr;            // rows of one table come in runs
};

}  // namespace switchyard::capture
