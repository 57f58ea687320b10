// Row changes on their way from the log to the target, collapsed per key.
//
// A Batch holds whole transactions of the source; or, when one transaction is larger than the
// bound, a piece of it (a chunk). Plain data; the values point into the batch's arenas.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/lsn.h"
#include "common/mapping/plan_index.h"
#include "common/records/stream/position.h"

namespace switchyard::changes {

// Memory for values: only grows, freed as a whole.
class Arena {
 public:
  char* Allocate(size_t bytes, size_t alignment = 1) {
    used_ = (used_ + alignment - 1) & ~(alignment - 1);
    if (blocks_.empty() || used_ + bytes > block_size_) Grow(bytes);
    char* out = blocks_.back().get() + used_;
    used_ += bytes;
    return out;
  }
  template <typename T>
  T* AllocateArray(size_t count) {
    return reinterpret_cast<T*>(Allocate(count * sizeof(T), alignof(T)));
  }
  std::string_view Copy(std::string_view text) {
    char* out = Allocate(text.size());
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }
  int64_t bytes() const { return total_; }

 private:
  void Grow(size_t bytes);

  static constexpr size_t kBlock = size_t{256} << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t block_size_ = 0;
  size_t used_ = 0;
  int64_t total_ = 0;
};

// One column's value in text form, or NULL, or absent (an unchanged value that was not sent).
struct Value {
  static constexpr int32_t kNull = -1;
  static constexpr int32_t kAbsent = -2;
  const char* data = nullptr;
  int32_t size = kNull;

  bool is_null() const { return size == kNull; }
  bool is_absent() const { return size == kAbsent; }
  std::string_view text() const { return {data, static_cast<size_t>(size < 0 ? 0 : size)}; }
};

enum class Op : char { kInsert = 'I', kUpdate = 'U', kMove = 'K', kDelete = 'D', kPassed = 'P' };

// The net effect of a batch on one row of a source table. kPassed: what a row was in between, where
// that is of use (SourcePlan::id_columns); it has no effect.
struct Change {
  Op op = Op::kInsert;
  const Value* row = nullptr;  // SourcePlan::columns, null for kDelete
  const Value* old_key =
      nullptr;  // SourcePlan::key before the batch, null for a row that was not there
  bool has_absent = false;
};

struct TableChanges {
  mapping::SourceIndex source;
  bool truncated = false;  // everything there before went first
  std::vector<Change> changes;
  int64_t counts[5] = {0, 0, 0, 0, 0};  // by op: insert, update, move, delete, passed
  bool has_absent = false;

  static int Index(Op op) {
    switch (op) {
      case Op::kInsert:
        return 0;
      case Op::kUpdate:
        return 1;
      case Op::kMove:
        return 2;
      case Op::kDelete:
        return 3;
      case Op::kPassed:
        return 4;
    }
    return 0;
  }
  int64_t count(Op op) const { return counts[Index(op)]; }
};

// Who made the changes of a transaction, by what stands at its beginning (proto/event.proto,
// Begin.marked_by) and by who owned its side at that place of the log.
enum class Author : char {
  kApplication,  // of the side that owned: the target's tables take it
  kOurs,         // the other stream: only what mirrors the source takes it
  kBreach,       // somebody who wrote to the side that did not own: likewise
};

struct Batch {
  std::vector<TableChanges> tables;
  Author author = Author::kApplication;  // of all of them
  // Two batches may hold values of one arena: a transaction that was being read when the batch
  // before it was cut.
  std::vector<std::shared_ptr<Arena>> arenas;

  // Where the stream stands when this batch is committed.
  uint64_t epoch = 0;
  Lsn lsn;
  Lsn covered_lsn;
  int64_t next_offset = 0;
  int64_t commit_time_us = 0;  // the source's clock at covered_lsn; 0 when not known
  bool source_owns = true;     // whether the source's application does, from there on
  int64_t transactions = 0;
  int64_t rows = 0;  // row events, before collapsing
  Lsn first_lsn;     // commit LSN of its first transaction, complete or not; 0: it has none

  // Relation events seen, serialized, by relation id: kept in the target.
  std::vector<std::pair<uint32_t, std::string>> relations;

  // Sources of which a partition was emptied: see BatcherOptions::copied_again.
  std::vector<mapping::SourceIndex> in_doubt;
  // The first row after this batch is one of this source that can't be read: the stream ends here.
  struct Unreadable {
    mapping::SourceIndex source;
    std::string why;
  };
  std::optional<Unreadable> unreadable;

  bool chunk = false;      // piece of a transaction that is not yet complete
  bool continues = false;  // begins with the rest of a transaction that came in chunks
  bool aborted = false;    // the chunks before belong to a transaction that never completed

  // Nothing but a later position, and what was read of tables on the way there.
  bool only_progress() const {
    return tables.empty() && in_doubt.empty() && !unreadable && !chunk && !continues && !aborted;
  }

  records::Advance Step() const {
    return {.to = {epoch, lsn, covered_lsn, next_offset},
            .commit_time_us = commit_time_us,
            .source_owns = source_owns,
            .transactions = transactions,
            .rows = rows};
  }
};

// Appends one COPY text field. `separator` goes before it unless 0.
void AppendCopyField(const Value& value, std::string* out);
void AppendCopyText(std::string_view text, std::string* out);

}  // namespace switchyard::changes
