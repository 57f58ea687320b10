#include "tests/sim/sim_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace switchyard::sim {
namespace {

constexpr int kKeys = 12;

mapping::SourcePlan SourceOf(int table) {
  mapping::SourcePlan source;
  source.relation_id = RelationId(table);
  source.relation_ids = {source.relation_id};
  source.schema = "public";
  source.name = table == 0 ? "t" : "f";
  source.columns = {{.name = "id", .type = "text", .toastable = true},
                    {.name = "v", .type = "text"},
                    {.name = "big", .type = "text", .toastable = true}};
  source.key = {0};
  return source;
}

uint64_t HashText(uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return (hash ^ 0xff) * 0x100000001b3;
}

}  // namespace

uint32_t RelationId(int table) { return 7 + static_cast<uint32_t>(table); }
int TableOf(uint32_t relation_id) { return static_cast<int>(relation_id) - 7; }

const mapping::Plan& TheModelPlan() {
  static const mapping::Plan plan = [] {
    mapping::Plan made;
    for (int table = 0; table < kMapped; ++table) made.sources.push_back(SourceOf(table));
    return made;
  }();
  return plan;
}

std::string Text(const SimTable& table) {
  std::string out;
  for (const auto& [key, row] : table) absl::StrAppend(&out, key, "=", row.v, "/", row.big, " ");
  return out;
}

uint64_t HashOf(int table, const std::string& key, const SimRow& row) {
  uint64_t hash = 0xcbf29ce484222325 + static_cast<uint64_t>(table);
  hash = HashText(HashText(HashText(hash, key), row.v), row.big);
  return hash ^ (hash >> 29);
}

SimSource::SimSource(World& world) : world_(world), refused_rows_(world.random.OneIn(2)) {}

SimRow SimSource::NewRow() {
  const bool refused = refused_rows_ && world_.random.OneIn(25);
  return {.v = absl::StrCat(refused ? "!" : "", "v", ++values_), .big = absl::StrCat("b", values_)};
}

std::string SimSource::FreeKey(int table) {
  if (static_cast<int>(now_[table].size()) >= kKeys) return "";
  std::string key;
  do key = absl::StrCat("k", world_.random.Below(kKeys));
  while (now_[table].contains(key));
  return key;
}

std::string SimSource::UsedKey(int table) {
  const auto at =
      std::next(now_[table].begin(), world_.random.Below(static_cast<int>(now_[table].size())));
  return at->first;
}

SimChange SimSource::RandomChange() {
  Random& random = world_.random;
  SimChange change{.table = random.OneIn(8) ? 2 : random.Below(kMapped)};
  SimTable& table = now_[change.table];
  const int what = random.Below(100);
  if (what == 98) return {.kind = SimChange::Kind::kMessage};
  const std::string free = FreeKey(change.table);
  if (table.empty() || (what < 30 && !free.empty())) {
    change.kind = SimChange::Kind::kInsert;
    change.key = free;
    change.row = table[free] = NewRow();
    return change;
  }
  if (what == 99 && !table.empty()) {
    change.kind = SimChange::Kind::kTruncate;
    table.clear();
    return change;
  }
  change.old_key = UsedKey(change.table);
  change.old_row = table[change.old_key];
  if (what >= 80) {
    change.kind = SimChange::Kind::kDelete;
    table.erase(change.old_key);
    return change;
  }
  const bool moves = what >= 60 && !free.empty();
  change.kind = moves ? SimChange::Kind::kMove : SimChange::Kind::kUpdate;
  change.key = moves ? free : change.old_key;
  change.row = NewRow();
  if (random.OneIn(2)) change.row.big = change.old_row.big;  // is not sent
  table.erase(change.old_key);
  table[change.key] = change.row;
  return change;
}

void SimSource::Commit() {
  Random& random = world_.random;
  SimRecord record{.lsn = Lsn(end_.value() + static_cast<uint64_t>(random.Below(50)))};
  record.end = Lsn(record.lsn.value() + 1 + static_cast<uint64_t>(random.Below(30)));
  end_ = record.end;
  if (random.OneIn(10)) {
    record.heartbeat = random.OneIn(2);
  } else {
    record.xid = ++xid_;
    const int changes = random.OneIn(12) ? 20 + random.Below(40) : random.Below(6);
    for (int i = 0; i < changes; ++i) record.changes.push_back(RandomChange());
    published_ += changes > 0 ? 1 : 0;
    if (changes > 0) {
      for (int table = 0; table < kMapped; ++table) {
        hash_[table] = 0;
        for (const auto& [key, row] : now_[table]) hash_[table] += HashOf(table, key, row);
      }
    }
  }
  record.hash = hash_;
  record.published = published_;
  wal_.push_back(std::move(record));
}

size_t SimSource::Find(Lsn lsn) const {
  return static_cast<size_t>(
      std::lower_bound(wal_.begin(), wal_.end(), lsn,
                       [](const SimRecord& record, Lsn at) { return record.lsn < at; }) -
      wal_.begin());
}

uint64_t SimSource::HashBelow(int table, Lsn point) const {
  const size_t next = Find(point);
  return next == 0 ? 0 : wal_[next - 1].hash[table];
}

int64_t SimSource::PublishedBelow(Lsn point) const {
  const size_t next = Find(point);
  return next == 0 ? 0 : wal_[next - 1].published;
}

SimTable SimSource::TableBelow(int table, Lsn point) const {
  SimTable rows;
  for (size_t i = 0; i < Find(point); ++i) {
    for (const SimChange& change : wal_[i].changes) {
      if (change.table != table) continue;
      if (change.kind == SimChange::Kind::kTruncate) rows.clear();
      rows.erase(change.old_key);
      if (!change.key.empty()) rows[change.key] = change.row;
    }
  }
  return rows;
}

Lsn SimSource::LastCommitBelow(Lsn point) const {
  for (size_t i = Find(point); i > 0; --i) {
    if (!wal_[i - 1].changes.empty()) return wal_[i - 1].lsn;
  }
  return Lsn();
}

Lsn SimSource::SomePoint(Lsn from) {
  const size_t first = Find(from);
  if (first >= wal_.size()) return end_;
  const size_t at =
      first + static_cast<size_t>(world_.random.Below(static_cast<int>(wal_.size() - first)));
  return Lsn(wal_[at].lsn.value() + static_cast<uint64_t>(world_.random.Below(3)));
}

}  // namespace switchyard::sim
