// Follows the rows of one table through a batch: from what each was before it to what it is after
// it. The rules are those of batcher.h.
//
// Thread-compatible. The plan, and the values handed in, must outlive it and what it gives.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/strings.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"

namespace switchyard::changes {

class TableCollapse {
 public:
  TableCollapse(const mapping::SourcePlan& source, mapping::SourceIndex source_index);

  // `row` has a value per SourcePlan::columns, `key_before` one per SourcePlan::key; null where an
  // update left the key as it was. `arena` is for what has to be made anew.
  void Insert(const Value* row, Arena* arena);
  void Update(const Value* row, const Value* key_before, Arena* arena);
  void Delete(const Value* key_before);
  void Truncate();

  bool empty() const { return entries_.empty() && !truncated_; }
  // The net effect.
  TableChanges Changes(Arena* arena) const;

 private:
  struct KeyRef {
    const Value* values = nullptr;
    int count = 0;

    friend bool operator==(const KeyRef& a, const KeyRef& b) {
      for (int i = 0; i < a.count; ++i) {
        if (a.values[i].size != b.values[i].size || a.values[i].text() != b.values[i].text()) {
          return false;
        }
      }
      return true;
    }
    template <typename H>
    friend H AbslHashValue(H h, const KeyRef& key) {
      for (int i = 0; i < key.count; ++i) {
        h = H::combine(std::move(h), Sv(key.values[i].text()));
      }
      return h;
    }
  };

  struct Entry {
    const Value* row = nullptr;      // null: deleted
    const Value* old_key = nullptr;  // null: was not there before
    bool dropped = false;            // inserted and deleted again
    bool passed = false;             // only what a row was
  };

  const Value* KeyOf(const Value* row, Arena* arena) const;
  KeyRef Ref(const Value* values) const { return {values, static_cast<int>(key_.size())}; }
  bool HasAbsent(const Value* row) const;
  void KeepPassed(const Entry& entry, const Value* next);
  const Value* CarriedForward(const Value* row, const Value* before, Arena* arena) const;

  const mapping::SourceIndex source_;
  const std::vector<int>& key_;
  const std::vector<int>& id_columns_;
  const size_t columns_;
  bool truncated_ = false;
  std::vector<Entry> entries_;
  absl::flat_hash_map<KeyRef, int> live_;  // by the key it has now
  absl::flat_hash_map<KeyRef, int> dead_;  // deleted rows by the key they had before
};

}  // namespace switchyard::changes
