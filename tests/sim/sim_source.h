// A source database as the pipeline sees it: transactions that commit one after the other, tables
// copied as of a point, a slot. It knows what every later state is to be.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/base/lsn.h"
#include "common/mapping/plan.h"
#include "tests/sim/world.h"

namespace switchyard::sim {

// Sources 0 and 1 are mapped; 2 is published and not mapped.
inline constexpr int kTables = 3;
inline constexpr int kMapped = 2;
// Of the second one updates and deletes bring the whole old row (REPLICA IDENTITY FULL).
inline constexpr int kFullTable = 1;
uint32_t RelationId(int table);
int TableOf(uint32_t relation_id);
const mapping::Plan& TheModelPlan();

struct SimRow {
  std::string v;    // begins with '!': the target refuses the row
  std::string big;  // not sent when it did not change
  friend bool operator==(const SimRow&, const SimRow&) = default;
};
using SimTable = std::map<std::string, SimRow>;  // by key
inline bool IsRefused(const SimRow& row) { return row.v.starts_with('!'); }
std::string Text(const SimTable& table);
// Sums up to the same for the same rows, whatever their order.
uint64_t HashOf(int table, const std::string& key, const SimRow& row);

struct SimChange {
  enum class Kind { kInsert, kUpdate, kMove, kDelete, kTruncate, kMessage } kind = Kind::kInsert;
  int table = 0;
  std::string old_key;  // kMove, kDelete, kUpdate
  std::string key;      // all but kDelete
  SimRow old_row, row;
};

// Something in the source's WAL.
struct SimRecord {
  Lsn lsn;  // of the commit record, or of the message
  Lsn end;
  uint32_t xid = 0;        // 0: a message outside any transaction
  bool heartbeat = false;  // of a message: one of ours
  std::vector<SimChange> changes;
  std::array<uint64_t, kMapped> hash = {};  // of each table from here on
  int64_t published = 0;                    // transactions with changes, up to this one
};

class SimSource {
 public:
  explicit SimSource(World& world);

  // One more transaction, or a message.
  void Commit();

  const std::deque<SimRecord>& wal() const { return wal_; }
  Lsn end() const { return end_; }
  // First record at or above.
  size_t Find(Lsn lsn) const;
  // What a table holds with all commits below `point`.
  uint64_t HashBelow(int table, Lsn point) const;
  int64_t PublishedBelow(Lsn point) const;
  SimTable TableBelow(int table, Lsn point) const;  // slow: for the copy, and to tell people
  // Commit of the last transaction with changes below `point`.
  Lsn LastCommitBelow(Lsn point) const;
  // Below which a hold may be asked for: of some record at or after `from`.
  Lsn SomePoint(Lsn from);

  // The slot, and what the stream keeps in the source.
  Lsn slot_start;      // where it was made
  Lsn confirmed;       // as acknowledged
  Lsn confirmed_kept;  // what a crash of the source goes back to
  uint64_t epoch = 0;

 private:
  SimChange RandomChange();
  std::string FreeKey(int table);
  std::string UsedKey(int table);
  SimRow NewRow();

  World& world_;
  std::array<SimTable, kTables> now_;
  std::array<uint64_t, kMapped> hash_ = {};
  std::deque<SimRecord> wal_;
  Lsn end_{1000};
  uint32_t xid_ = 100;
  int64_t published_ = 0;
  int64_t values_ = 0;
  const bool refused_rows_;
};

}  // namespace switchyard::sim
