#include "operate/check/rehearse/made_rows.h"

#include <algorithm>
#include <utility>

namespace switchyard::operate {

using mapping::SourceIndex;
using mapping::SourcePlan;

namespace {

constexpr size_t kRowsMax = 5;
constexpr size_t kRowsAtMost = 7;  // with those that come one by one
constexpr int kTries = 10;         // for a row that fits
constexpr int64_t kKinds = 7;
constexpr size_t kThemes = 3;
constexpr size_t kMeeting = 40;  // of a hundred values that are drawn

changes::Value ValueOf(const Cell& cell, changes::Arena* arena) {
  if (!cell) return {};
  const std::string_view text = arena->Copy(*cell);
  return {.data = text.data(), .size = static_cast<int32_t>(text.size())};
}

const changes::Value* ValuesOf(const std::vector<Cell>& cells, changes::Arena* arena) {
  auto* values = arena->AllocateArray<changes::Value>(cells.size());
  for (size_t i = 0; i < cells.size(); ++i) values[i] = ValueOf(cells[i], arena);
  return values;
}

bool RefersTo(const ForeignKeyColumns& key, const Row& row, const Row& parent) {
  for (size_t i = 0; i < key.columns.size(); ++i) {
    if (!row[key.columns[i]] || row[key.columns[i]] != parent[key.parent_columns[i]]) return false;
  }
  return true;
}

bool HasParent(const ForeignKeyColumns& key, const Row& row, const std::map<Key, Row>& parents) {
  if (std::ranges::any_of(key.columns, [&](int column) { return !row[column].has_value(); })) {
    return true;
  }
  return std::ranges::any_of(parents,
                             [&](const auto& parent) { return RefersTo(key, row, parent.second); });
}

changes::Op OpOf(const SourcePlan& source, const RowChange& change) {
  if (!change.before) return changes::Op::kInsert;
  if (!change.after) return changes::Op::kDelete;
  const bool moved = KeyOf(source, *change.before) != KeyOf(source, *change.after);
  return moved ? changes::Op::kMove : changes::Op::kUpdate;
}

}  // namespace

Key KeyOf(const SourcePlan& source, const Row& row) {
  Key key;
  for (const int column : source.key) key.push_back(row[column]);
  return key;
}

changes::Batch BatchOf(const mapping::Plan& plan, const Changes& changes) {
  changes::Batch batch;
  batch.arenas.push_back(std::make_shared<changes::Arena>());
  changes::Arena* arena = batch.arenas.back().get();
  for (const SourceIndex s : plan.source_indices()) {
    changes::TableChanges table{.source = s};
    for (const RowChange& change : changes) {
      if (change.source != s) continue;
      const changes::Op op = OpOf(plan.sources[s], change);
      changes::Change& out = table.changes.emplace_back(changes::Change{.op = op});
      if (change.after) out.row = ValuesOf(*change.after, arena);
      if (change.before) out.old_key = ValuesOf(KeyOf(plan.sources[s], *change.before), arena);
      ++table.counts[changes::TableChanges::Index(op)];
      ++batch.rows;
    }
    if (!table.changes.empty()) batch.tables.push_back(std::move(table));
  }
  batch.transactions = 1;
  return batch;
}

RowMaker::RowMaker(const mapping::Plan& plan, Pools pools, Constraints constraints, uint64_t seed)
    : plan_(plan),
      pools_(std::move(pools)),
      cut_(pools_),
      constraints_(std::move(constraints)),
      random_(seed),
      tables_(plan.sources.size()) {
  for (const SourceIndex s : plan.source_indices()) {
    size_t rules = 1;
    for (const mapping::MappingPlan& mapping : plan.mappings) {
      rules += static_cast<size_t>(
          std::ranges::count(mapping.keyed.touches, s, &mapping::TouchRule::source));
    }
    lots_.insert(lots_.end(), rules, s);
  }
}

const std::string& RowMaker::KinOf(const std::string& value) const {
  const auto kin = pools_.kin.find(value);
  return kin == pools_.kin.end() ? value : kin->second;
}

// Where a value stands in the order of this lot: those that meet stand together.
uint64_t RowMaker::LotOf(const std::string& value, uint64_t lot) const {
  const std::string& kin = KinOf(value);
  uint64_t hash = lot;
  for (const char c : kin) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9;
  return hot_.contains(kin) ? hash >> 16 : hash;
}

void RowMaker::PickThemes() {
  hot_.clear();
  for (size_t i = 0; i < kThemes && !pools_.themes.empty(); ++i) {
    const std::vector<std::string>& theme = pools_.themes[Below(pools_.themes.size())];
    hot_.insert(KinOf(theme[Below(theme.size())]));
  }
}

// A value that is kept in one column is kept in the others that have it: they are to meet.
void RowMaker::CutPools() {
  cut_.columns = pools_.columns;
  PickThemes();
  const size_t least = epochs_++ % 2 == 1 ? 2 : 4;
  const uint64_t lot = random_();
  for (std::vector<Pool>& columns : cut_.columns) {
    for (Pool& pool : columns) {
      const bool null = std::erase(pool, Cell()) > 0;
      std::ranges::sort(pool, {}, [&](const Cell& cell) {
        return std::pair(LotOf(*cell, lot), LotOf(*cell + "sy", lot));
      });
      pool.resize(std::min(pool.size(), least + Below(3)));
      if (pool.empty() || (null && Chance(70))) pool.emplace_back();
    }
  }
}

Changes RowMaker::BeginEpoch() {
  CutPools();
  batch_.clear();
  next_.assign(plan_.sources.size(), {});
  tables_ = next_;
  // Twice, for rows that refer to later ones.
  for (int i = 0; i < 2; ++i) {
    for (const SourceIndex s : plan_.source_indices()) {
      for (size_t more = 1 + Below(3); more > 0 && next_[s].size() < kRowsMax; --more) {
        Change(s, std::nullopt, MakeRow(s));
      }
    }
  }
  return batch_;
}

Changes RowMaker::NextBatch() {
  batch_.clear();
  next_ = tables_;
  const int64_t kind = batches_++;
  for (int i = 0; i < kTries && batch_.empty(); ++i) Make(kind);
  // A table that is full, or whose rows are all referred to, has none of that kind.
  for (int i = 1; i < kTries * kKinds && batch_.empty(); ++i) Make(kind + i);
  return batch_;
}

void RowMaker::Make(int64_t kind) {
  switch (kind % kKinds) {
    case 0:
    case 3:
      return OneColumn();
    case 1:
    case 5:
      if (const auto source = AnyTable()) OneRow(*source);
      return;
    case 2:
      return TwoTables();
    case 4:
      return OneKey();
    default:
      return MostTables();
  }
}

void RowMaker::Apply(const Changes& changes, std::vector<Table>* tables) const {
  for (const RowChange& change : changes) {
    if (!change.before) continue;
    (*tables)[change.source].erase(KeyOf(plan_.sources[change.source], *change.before));
  }
  for (const RowChange& change : changes) {
    if (!change.after) continue;
    (*tables)[change.source][KeyOf(plan_.sources[change.source], *change.after)] = *change.after;
  }
}

void RowMaker::Keep(const Changes& changes) { Apply(changes, &tables_); }

bool RowMaker::Possible(const Changes& changes) const {
  std::vector<Table> tables = tables_;
  Apply(changes, &tables);
  return std::ranges::all_of(constraints_.foreign_keys, [&](const ForeignKeyColumns& key) {
    return std::ranges::all_of(tables[key.source], [&](const auto& child) {
      return HasParent(key, child.second, tables[key.parent]);
    });
  });
}

const Cell& RowMaker::Draw(SourceIndex source, size_t column) {
  const Pool& pool = cut_.columns[source][column];
  return pool[Below(pool.size())];
}

const Cell* RowMaker::DrawMeeting(SourceIndex source, size_t column) {
  for (int i = 0; i < kTries; ++i) {
    const auto other = AnyTable();
    const std::optional<Row> row = other ? AnyRow(*other) : std::nullopt;
    if (!row) continue;
    const size_t at = AnyColumn(*other);
    if (!(*row)[at]) continue;
    const std::string& kin = KinOf(*(*row)[at]);
    std::vector<const Cell*> meeting;
    for (const Cell& cell : pools_.columns[source][column]) {
      if (cell && KinOf(*cell) == kin) meeting.push_back(&cell);
    }
    if (!meeting.empty()) return meeting[Below(meeting.size())];
  }
  return nullptr;
}

const Cell& RowMaker::DrawOther(SourceIndex source, size_t column, const Cell& than) {
  const Pool& pool = cut_.columns[source][column];
  const size_t first = Below(pool.size());
  for (size_t i = 0; i < pool.size(); ++i) {
    const Cell& cell = pool[(first + i) % pool.size()];
    if (cell != than) return cell;
  }
  return pool[first];
}

// Some are like another row but for a few columns: ties, and rows that take another's place.
Row RowMaker::MakeRow(SourceIndex source) {
  Row row;
  const std::optional<Row> like = Chance(40) ? AnyRow(source) : std::nullopt;
  for (size_t c = 0; c < plan_.sources[source].columns.size(); ++c) {
    const bool same = like && !IsKey(source, c) && Chance(70);
    const Cell* meeting = !same && Chance(kMeeting) ? DrawMeeting(source, c) : nullptr;
    row.push_back(same ? (*like)[c] : meeting != nullptr ? *meeting : Draw(source, c));
  }
  for (const ForeignKeyColumns& key : constraints_.foreign_keys) {
    if (key.source != source || !row[key.columns[0]]) continue;
    const std::optional<Row> parent = AnyRow(key.parent);
    for (size_t i = 0; parent && i < key.columns.size(); ++i) {
      row[key.columns[i]] = (*parent)[key.parent_columns[i]];
    }
  }
  return row;
}

bool RowMaker::IsKey(SourceIndex source, size_t column) const {
  return std::ranges::count(plan_.sources[source].key, static_cast<int>(column)) > 0;
}

std::optional<SourceIndex> RowMaker::AnyTable() {
  if (lots_.empty()) return std::nullopt;
  if (!favoured_.empty() && Chance(75)) return favoured_[Below(favoured_.size())];
  return lots_[Below(lots_.size())];
}

size_t RowMaker::AnyColumn(SourceIndex source) {
  const auto compared = pools_.compared.find(source);
  if (compared == pools_.compared.end() || Chance(50)) {
    return Below(plan_.sources[source].columns.size());
  }
  const auto at = static_cast<ptrdiff_t>(Below(compared->second.size()));
  return static_cast<size_t>(*std::next(compared->second.begin(), at));
}

std::optional<Row> RowMaker::AnyRow(SourceIndex source) {
  const Table& table = next_[source];
  if (table.empty()) return std::nullopt;
  return std::next(table.begin(), static_cast<ptrdiff_t>(Below(table.size())))->second;
}

bool RowMaker::Fits(SourceIndex source, const Row& row) const {
  const Key key = KeyOf(plan_.sources[source], row);
  if (std::ranges::count(key, Cell()) > 0 || next_[source].contains(key)) return false;
  for (const ForeignKeyColumns& foreign : constraints_.foreign_keys) {
    if (foreign.source == source && !HasParent(foreign, row, next_[foreign.parent])) return false;
  }
  for (const std::vector<int>& columns : constraints_.unique[source]) {
    for (const auto& other : next_[source]) {
      const bool same = std::ranges::all_of(
          columns, [&](int column) { return row[column] && row[column] == other.second[column]; });
      if (same) return false;
    }
  }
  return true;
}

bool RowMaker::WasThere(SourceIndex source, const Row& row) const {
  return tables_[source].contains(KeyOf(plan_.sources[source], row));
}

bool RowMaker::IsUnchanged(SourceIndex source, const Row& row) const {
  const auto there = tables_[source].find(KeyOf(plan_.sources[source], row));
  return there != tables_[source].end() && there->second == row;
}

bool RowMaker::Needed(SourceIndex source, const Row& row) const {
  for (const ForeignKeyColumns& key : constraints_.foreign_keys) {
    if (key.parent != source) continue;
    for (const auto& [child_key, child] : next_[key.source]) {
      if (RefersTo(key, child, row)) return true;
    }
  }
  return false;
}

void RowMaker::Change(SourceIndex source, std::optional<Row> before, std::optional<Row> after) {
  if (!before && next_[source].size() >= kRowsAtMost) return;
  if (before == after || (before ? !IsUnchanged(source, *before) : WasThere(source, *after)))
    return;
  const SourcePlan& plan = plan_.sources[source];
  if (before && Needed(source, *before) &&
      (!after || KeyOf(plan, *before) != KeyOf(plan, *after))) {
    return;
  }
  if (before) next_[source].erase(KeyOf(plan, *before));
  if (after && !Fits(source, *after)) {
    if (before) next_[source][KeyOf(plan, *before)] = *before;
    return;
  }
  if (after) next_[source][KeyOf(plan, *after)] = *after;
  batch_.push_back({.source = source, .before = std::move(before), .after = std::move(after)});
}

void RowMaker::OneColumn() {
  for (int i = 0; i < kTries && batch_.empty(); ++i) {
    const auto source = AnyTable();
    const std::optional<Row> row = source ? AnyRow(*source) : std::nullopt;
    if (!row) continue;
    const size_t column = AnyColumn(*source);
    Row changed = *row;
    const Cell* meeting = Chance(kMeeting) ? DrawMeeting(*source, column) : nullptr;
    changed[column] = meeting != nullptr ? *meeting : DrawOther(*source, column, changed[column]);
    Change(*source, row, changed);
  }
}

void RowMaker::OneRow(SourceIndex source) {
  for (int i = 0; i < kTries; ++i) {
    const size_t before = batch_.size();
    const std::optional<Row> row = AnyRow(source);
    const size_t way = Below(3);
    if (way == 0 || !row) {
      Change(source, std::nullopt, MakeRow(source));
    } else if (way == 1) {
      Change(source, row, std::nullopt);
    } else {
      Row changed = MakeRow(source);
      for (size_t c = 0; c < changed.size(); ++c) {
        if (IsKey(source, c) || Chance(60)) changed[c] = (*row)[c];
      }
      Change(source, row, changed);
    }
    if (batch_.size() > before) return;
  }
}

void RowMaker::MostTables() {
  for (const SourceIndex s : plan_.source_indices()) {
    if (!Chance(60)) continue;
    const Table rows = next_[s];
    for (const auto& [key, row] : rows) {
      const size_t lot = Below(100);
      if (lot < 25) {
        Change(s, row, std::nullopt);
      } else if (lot < 55) {
        Row changed = MakeRow(s);
        for (size_t c = 0; c < changed.size(); ++c) {
          if (IsKey(s, c) || Chance(60)) changed[c] = row[c];
        }
        Change(s, row, changed);
      }
    }
    for (size_t more = Below(3); more > 0 && next_[s].size() < kRowsMax; --more) {
      Change(s, std::nullopt, MakeRow(s));
    }
  }
}

// Two rows that each alone hide a third, or that take each other's place.
void RowMaker::TwoTables() {
  const auto one = AnyTable();
  const auto other = AnyTable();
  if (!one || !other) return;
  bool come = Chance(50);
  const bool alike = Chance(75);
  for (const SourceIndex source : {*one, *other}) {
    const std::optional<Row> row = AnyRow(source);
    if (come || !row) {
      Change(source, std::nullopt, MakeRow(source));
    } else {
      Change(source, row, std::nullopt);
    }
    come = come == alike;
  }
}

void RowMaker::OneKey() {
  for (int i = 0; i < kTries && batch_.empty(); ++i) {
    const auto source = AnyTable();
    const std::optional<Row> row = source ? AnyRow(*source) : std::nullopt;
    if (!row) continue;
    Row changed = *row;
    for (const int column : plan_.sources[*source].key) {
      const size_t at = static_cast<size_t>(column);
      changed[at] = DrawOther(*source, at, changed[at]);
    }
    Change(*source, row, changed);
  }
}

}  // namespace switchyard::operate
