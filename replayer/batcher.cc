#include "replayer/batcher.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "common/base/strings.h"

namespace switchyard::replayer {

using event::v1::Event;

// A table of the log: which of its columns feed which of the plan's.
struct Batcher::Relation {
  int source = -1;               // not mapped
  std::vector<int> tuple_index;  // per SourcePlan column: place in the tuple
  int tuple_size = 0;
  absl::Status fit;  // why its rows can't be read any more
};

struct Batcher::RawChange {
  int source = 0;
  enum class Kind : char { kInsert, kUpdate, kDelete, kTruncate } kind = Kind::kInsert;
  const Value* row = nullptr;
  const Value* old_key = nullptr;  // update: only when the key changed
};

namespace {

constexpr uint32_t kFormat = 1;
constexpr char kCopyAnew[] = "Copy everything again: switchyard recopy FILE --all";

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
};

}  // namespace

// Follows the rows of one table through a batch.
struct Batcher::TableState {
  int source = 0;
  int key_count = 0;
  const std::vector<int>* key = nullptr;
  size_t columns = 0;
  bool truncated = false;
  std::vector<Entry> entries;
  absl::flat_hash_map<KeyRef, int> live;  // by the key it has now
  absl::flat_hash_map<KeyRef, int> dead;  // deleted rows by the key they had before

  const Value* KeyOf(const Value* row, Arena* arena) const {
    Value* out = arena->AllocateArray<Value>(key_count);
    for (int i = 0; i < key_count; ++i) out[i] = row[(*key)[i]];
    return out;
  }
  KeyRef Ref(const Value* values) const { return {values, key_count}; }

  void Insert(const Value* row, const Value* row_key) {
    const auto gone = dead.find(Ref(row_key));
    if (gone != dead.end()) {  // deleted before in this batch: now an update of every column
      entries[gone->second].row = row;
      live[Ref(row_key)] = gone->second;
      dead.erase(gone);
      return;
    }
    live[Ref(row_key)] = static_cast<int>(entries.size());
    entries.push_back({.row = row});
  }

  void Update(const Value* row, const Value* key_before, const Value* key_after, Arena* arena) {
    const auto it = live.find(Ref(key_before));
    int index = 0;
    if (it == live.end()) {
      index = static_cast<int>(entries.size());
      entries.push_back({.row = row, .old_key = key_before});
    } else {
      index = it->second;
      entries[index].row = CarriedForward(row, entries[index].row, arena);
      live.erase(it);
    }
    live[Ref(key_after)] = index;
  }

  // `row` with its absent values taken from `before`.
  const Value* CarriedForward(const Value* row, const Value* before, Arena* arena) const {
    const bool any = std::any_of(row, row + columns, [](const Value& v) { return v.is_absent(); });
    if (!any) return row;
    Value* out = arena->AllocateArray<Value>(columns);
    for (size_t i = 0; i < columns; ++i) out[i] = row[i].is_absent() ? before[i] : row[i];
    return out;
  }

  void Delete(const Value* key_before) {
    const auto it = live.find(Ref(key_before));
    if (it == live.end()) {
      if (truncated) return;
      dead[Ref(key_before)] = static_cast<int>(entries.size());
      entries.push_back({.old_key = key_before});
      return;
    }
    Entry& entry = entries[it->second];
    entry.row = nullptr;
    if (entry.old_key == nullptr) {
      entry.dropped = true;
    } else {
      dead[Ref(entry.old_key)] = it->second;
    }
    live.erase(it);
  }

  void Truncate() {
    truncated = true;
    entries.clear();
    live.clear();
    dead.clear();
  }
};

Batcher::Batcher(const mapping::Plan& plan, const Position& position, BatcherOptions options)
    : plan_(plan),
      options_(std::move(options)),
      position_(position),
      previous_commit_(position.lsn),
      states_(plan.sources.size()),
      arena_(std::make_shared<Arena>()) {}

Batcher::~Batcher() = default;

absl::Status Batcher::Add(std::string_view payload, int64_t next_offset) {
  const absl::StatusOr<bool> is_row = ParseRowEvent(payload, &row_);
  if (is_row.ok() && *is_row) return AddRow(row_, next_offset);
  if (!is_row.ok() || !event_.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return absl::DataLossError(
        absl::StrFormat("offset %d of the change topic is no event", next_offset - 1));
  }
  return Add(event_, next_offset);
}

absl::Status Batcher::Add(const Event& event, int64_t next_offset) {
  if (held_) return absl::OkStatus();  // read again when the hold ends
  if (event.has_row()) {
    ViewRow(event, &row_);
    return AddRow(row_, next_offset);
  }
  if (event.has_hello() && event.format() == kFormat) {
    RETURN_IF_ERROR(OnHello(event));
  } else {
    ASSIGN_OR_RETURN(const bool old, CheckHead(event.format(), event.epoch(), next_offset));
    if (old) return absl::OkStatus();
    RETURN_IF_ERROR(OnBody(event, next_offset));
  }
  if (!open_) position_.next_offset = next_offset;
  return absl::OkStatus();
}

absl::Status Batcher::AddRow(const RowView& row, int64_t next_offset) {
  if (held_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool old, CheckHead(row.format, row.epoch, next_offset));
  return old ? absl::OkStatus() : OnRow(row);
}

absl::StatusOr<bool> Batcher::CheckHead(uint32_t format, uint64_t epoch,
                                        int64_t next_offset) const {
  if (format != kFormat) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the log holds an event of format %d at offset %d; this program reads "
                        "format %d. Upgrade it",
                        format, next_offset - 1, kFormat));
  }
  if (epoch > position_.epoch) {
    return absl::DataLossError(absl::StrFormat(
        "offset %d is of epoch %d, but no Hello of that epoch came before it (at epoch %d): the "
        "log has lost records. %s",
        next_offset - 1, epoch, position_.epoch, kCopyAnew));
  }
  return epoch < position_.epoch;  // a capture that lost its slot was still writing
}

absl::Status Batcher::OnBody(const Event& event, int64_t next_offset) {
  switch (event.body_case()) {
    case Event::kBegin:
      return OnBegin(event.begin());
    case Event::kCommit:
      return OnCommit(event.commit());
    case Event::kRelation:
      return OnRelation(event.relation(), true);
    case Event::kTruncate:
      return OnTruncate(event.truncate());
    case Event::kHeartbeat:
      if (Lsn(event.heartbeat().lsn()) > position_.covered_lsn) {
        position_.covered_lsn = Lsn(event.heartbeat().lsn());
        // So that the lag of a source that is idle, or busy elsewhere, is known too.
        commit_time_us_ = std::max(commit_time_us_, event.heartbeat().time_us());
        progressed_ = true;
      }
      return absl::OkStatus();
    case Event::kMessage:
      return absl::OkStatus();  // heartbeats and markers only move the position
    default:
      return absl::DataLossError(absl::StrFormat(
          "offset %d holds an event that does not belong on a change topic", next_offset - 1));
  }
}

absl::Status Batcher::OnHello(const Event& event) {
  if (event.epoch() <= position_.epoch && event.epoch() != 0 && position_.epoch != 0) {
    return absl::OkStatus();  // read again after a restart, or an older capture
  }
  if (open_) {  // its capture died in the middle; it comes again in full
    abort_pending_ |= chunked_;
    rows_ -= static_cast<int64_t>(open_changes_.size());
    open_changes_.clear();
    open_ = chunked_ = false;
  }
  const Lsn start(event.hello().start_lsn());
  if (position_.covered_lsn.valid() && start > position_.covered_lsn) {
    return absl::DataLossError(absl::StrFormat(
        "epoch %d starts at LSN %s, but the log before it only reaches %s: the log has lost "
        "records in between. %s",
        event.epoch(), start.ToString(), position_.covered_lsn.ToString(), kCopyAnew));
  }
  position_.epoch = event.epoch();
  position_.covered_lsn = std::max(position_.covered_lsn, start);
  previous_commit_ = Lsn();
  progressed_ = true;
  return absl::OkStatus();
}

absl::Status Batcher::Restore(const event::v1::Relation& relation) {
  return OnRelation(relation, false);
}

absl::Status Batcher::OnRelation(const event::v1::Relation& relation, bool keep) {
  Relation known;
  known.tuple_size = relation.columns_size();
  for (size_t s = 0; s < plan_.sources.size(); ++s) {
    const auto& ids = plan_.sources[s].relation_ids;
    // A partition born since the plan was made is known by its root.
    if (std::find(ids.begin(), ids.end(), relation.relation_id()) != ids.end() ||
        (relation.root_relation_id() != 0 &&
         relation.root_relation_id() == plan_.sources[s].relation_id)) {
      known.source = static_cast<int>(s);
    }
  }
  if (known.source >= 0) {
    for (const mapping::StageColumn& column : plan_.sources[known.source].columns) {
      int index = -1;
      for (int i = 0; i < relation.columns_size(); ++i) {
        if (relation.columns(i).name() == column.name) index = i;
      }
      if (index < 0 ||
          (column.type_oid != 0 && relation.columns(index).type_oid() != column.type_oid)) {
        known.fit = absl::FailedPreconditionError(
            absl::StrFormat("column %s of %s.%s %s on the source since the mapping was compiled. "
                            "Mend the migration "
                            "file, then run: switchyard resume FILE",
                            column.name, relation.schema(), relation.name(),
                            index < 0 ? "was dropped or renamed" : "changed its type"));
      }
      known.tuple_index.push_back(index);
    }
  }
  if (keep) {
    std::string serialized;
    relation.SerializeToString(&serialized);
    new_relations_.emplace_back(relation.relation_id(), std::move(serialized));
  }
  relations_[relation.relation_id()] = std::move(known);
  return absl::OkStatus();
}

absl::Status Batcher::OnBegin(const event::v1::Begin& begin) {
  const Lsn lsn(begin.commit_lsn());
  const Lsn previous(begin.previous_commit_lsn());
  if (open_) {
    return absl::DataLossError(absl::StrFormat("transaction %s begins before %s has ended",
                                               lsn.ToString(), open_lsn_.ToString()));
  }
  if (previous.valid() && previous != previous_commit_ && lsn > position_.lsn) {
    return absl::DataLossError(absl::StrFormat(
        "the commit at %s follows %s, but the last one read is %s: the log has a gap. %s",
        lsn.ToString(), previous.ToString(), previous_commit_.ToString(), kCopyAnew));
  }
  previous_commit_ = lsn;
  open_ = true;
  open_lsn_ = lsn;
  open_rows_ = 0;
  relations_before_open_ = new_relations_.size();
  held_ |= options_.hold_lsn && lsn >= *options_.hold_lsn;
  skipping_ = held_ || lsn <= position_.lsn;
  return absl::OkStatus();
}

absl::StatusOr<Value*> Batcher::CopyTuple(const Relation& relation, const TupleView& tuple) {
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
  Value* row = arena_->AllocateArray<Value>(relation.tuple_index.size());
  for (size_t c = 0; c < relation.tuple_index.size(); ++c) {
    const int at = relation.tuple_index[c];
    if (places_[at] >= 0) {
      const std::string_view text = arena_->Copy(tuple.values[places_[at]]);
      row[c] = {text.data(), static_cast<int32_t>(text.size())};
      bytes_ += static_cast<int64_t>(text.size());
    } else {
      row[c] = {nullptr, kinds[at] == 'u' ? Value::kAbsent : Value::kNull};
    }
    bytes_ += sizeof(Value);
  }
  return row;
}

absl::Status Batcher::OnRow(const RowView& row) {
  if (!open_) return absl::DataLossError("a row outside any transaction");
  ++open_rows_;
  if (skipping_) return absl::OkStatus();
  const auto it = relations_.find(row.relation_id);
  if (it == relations_.end()) {
    return absl::DataLossError(
        absl::StrFormat("a row of relation %d, which no event describes", row.relation_id));
  }
  const Relation& relation = it->second;
  if (relation.source < 0) return absl::OkStatus();
  if (InCopy(row.relation_id) || options_.in_doubt.contains(relation.source)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(relation.fit);

  RawChange change{.source = relation.source};
  const mapping::SourcePlan& source = plan_.sources[relation.source];
  if (row.old_tuple.present) {
    ASSIGN_OR_RETURN(const Value* old_row, CopyTuple(relation, row.old_tuple));
    Value* key = arena_->AllocateArray<Value>(source.key.size());
    for (size_t i = 0; i < source.key.size(); ++i) key[i] = old_row[source.key[i]];
    change.old_key = key;
  }
  if (row.new_tuple.present) {
    ASSIGN_OR_RETURN(Value* const new_row, CopyTuple(relation, row.new_tuple));
    for (size_t i = 0; i < source.key.size(); ++i) {
      Value& value = new_row[source.key[i]];
      if (!value.is_absent()) continue;
      // A key stored out of line that did not change: the source sends the old one with it.
      if (change.old_key == nullptr) {
        return absl::DataLossError(absl::StrFormat("an update of %s without column %s of its key",
                                                   source.name,
                                                   source.columns[source.key[i]].name));
      }
      value = change.old_key[i];
    }
    change.row = new_row;
  }
  switch (row.op) {
    case event::v1::Row::INSERT:
      change.kind = RawChange::Kind::kInsert;
      break;
    case event::v1::Row::UPDATE:
      change.kind = RawChange::Kind::kUpdate;
      break;
    case event::v1::Row::DELETE:
      change.kind = RawChange::Kind::kDelete;
      break;
    default:
      return absl::DataLossError("a row event without an operation");
  }
  const bool complete =
      change.kind == RawChange::Kind::kDelete ? change.old_key != nullptr : change.row != nullptr;
  if (!complete) {
    return absl::DataLossError(absl::StrFormat("a row event of %s without its tuple", source.name));
  }
  open_changes_.push_back(change);
  ++rows_;
  force_cut_ |= !source.text_identity;
  return absl::OkStatus();
}

absl::Status Batcher::OnTruncate(const event::v1::Truncate& truncate) {
  if (!open_) return absl::DataLossError("a truncate outside any transaction");
  ++open_rows_;
  if (skipping_) return absl::OkStatus();
  const std::set<uint32_t> ids(truncate.relation_ids().begin(), truncate.relation_ids().end());
  std::set<int> emptied;
  for (const uint32_t id : ids) {
    const auto it = relations_.find(id);
    if (it == relations_.end() || it->second.source < 0) continue;
    if (InCopy(id)) continue;
    const int index = it->second.source;
    if (!EmptiesAll(index, ids)) {
      RETURN_IF_ERROR(OnPartitionEmptied(index));
      continue;
    }
    if (options_.in_doubt.contains(index) || !emptied.insert(index).second) continue;
    open_changes_.push_back({.source = index, .kind = RawChange::Kind::kTruncate});
  }
  return absl::OkStatus();
}

// Whether the copy of the table holds the transaction being read.
bool Batcher::InCopy(uint32_t relation_id) const {
  const auto point = options_.copy_points.find(relation_id);
  return open_lsn_ < (point == options_.copy_points.end() ? options_.copied_before : point->second);
}

absl::Status Batcher::OnPartitionEmptied(int source) {
  if (options_.copied_again.contains(source)) {
    options_.in_doubt.insert(source);
    new_doubts_.insert(source);  // told again should this transaction come again
    return absl::OkStatus();
  }
  lost_partition_ = true;
  const mapping::SourcePlan& table = plan_.sources[source];
  return absl::FailedPreconditionError(absl::StrFormat(
      "a partition of %1$s.%2$s was truncated: which of its rows went can't be told from the log. "
      "Run: switchyard recopy FILE %1$s.%2$s",
      table.schema, table.name));
}

// Whether these are the table, or all of its partitions that are known.
bool Batcher::EmptiesAll(int source, const std::set<uint32_t>& ids) const {
  const std::vector<uint32_t>& planned = plan_.sources[source].relation_ids;
  return std::all_of(planned.begin(), planned.end(),
                     [&](uint32_t id) { return ids.contains(id); }) &&
         std::all_of(relations_.begin(), relations_.end(), [&](const auto& known) {
           return known.second.source != source || ids.contains(known.first);
         });
}

absl::Status Batcher::OnCommit(const event::v1::Commit& commit) {
  if (!open_ || Lsn(commit.commit_lsn()) != open_lsn_) {
    return absl::DataLossError(
        absl::StrFormat("a commit at %s that was not begun", Lsn(commit.commit_lsn()).ToString()));
  }
  if (commit.rows() != open_rows_) {
    return absl::DataLossError(
        absl::StrFormat("the transaction at %s has %d rows on the log, %d were captured. %s",
                        open_lsn_.ToString(), open_rows_, commit.rows(), kCopyAnew));
  }
  open_ = false;
  if (skipping_) return absl::OkStatus();
  MergeOpen();
  continues_ |= chunked_;
  chunked_ = false;
  if (complete_++ == 0) first_lsn_ = open_lsn_;
  position_.lsn = open_lsn_;
  position_.covered_lsn = std::max(position_.covered_lsn, Lsn(commit.end_lsn()));
  commit_time_us_ = commit.commit_time_us();
  return absl::OkStatus();
}

Batcher::TableState& Batcher::State(int source) {
  std::unique_ptr<TableState>& state = states_[source];
  if (state == nullptr) {
    state = std::make_unique<TableState>();
    state->source = source;
    state->key = &plan_.sources[source].key;
    state->key_count = static_cast<int>(state->key->size());
    state->columns = plan_.sources[source].columns.size();
  }
  return *state;
}

void Batcher::Merge(const RawChange& change) {
  TableState& state = State(change.source);
  switch (change.kind) {
    case RawChange::Kind::kInsert:
      state.Insert(change.row, state.KeyOf(change.row, arena_.get()));
      break;
    case RawChange::Kind::kUpdate: {
      const Value* after = state.KeyOf(change.row, arena_.get());
      state.Update(change.row, change.old_key != nullptr ? change.old_key : after, after,
                   arena_.get());
      break;
    }
    case RawChange::Kind::kDelete:
      state.Delete(change.old_key);
      break;
    case RawChange::Kind::kTruncate:
      state.Truncate();
      break;
  }
}

void Batcher::MergeOpen() {
  for (const RawChange& change : open_changes_) Merge(change);
  open_changes_.clear();
}

bool Batcher::full() const {
  return force_cut_ || abort_pending_ || rows_ >= options_.batch_rows_max ||
         bytes_ >= options_.batch_bytes_max ||
         (complete_ > 0 && position_.lsn <= options_.alone_until);
}

Batch Batcher::Take() {
  if (abort_pending_) {
    abort_pending_ = false;
    Batch batch;
    batch.aborted = true;
    return batch;
  }
  if (!has_complete() && open_) {
    const bool continues = chunked_;
    chunked_ = true;
    MergeOpen();
    Batch batch = Cut(true);
    batch.continues = continues;
    return batch;
  }
  Batch batch = Cut(false);
  batch.continues = std::exchange(continues_, false);
  return batch;
}

Batch Batcher::Cut(bool chunk) {
  Batch batch;
  batch.chunk = chunk;
  for (std::unique_ptr<TableState>& state : states_) {
    if (state == nullptr || (state->entries.empty() && !state->truncated)) continue;
    TableChanges table{.source = state->source, .truncated = state->truncated};
    for (const Entry& entry : state->entries) {
      if (entry.dropped) continue;
      Change change{.row = entry.row, .old_key = entry.old_key};
      if (entry.row == nullptr) {
        change.op = Op::kDelete;
      } else if (entry.old_key != nullptr) {
        const KeyRef now = state->Ref(state->KeyOf(entry.row, arena_.get()));
        change.op = now == state->Ref(entry.old_key) ? Op::kUpdate : Op::kMove;
        change.has_absent = std::any_of(entry.row, entry.row + state->columns,
                                        [](const Value& v) { return v.is_absent(); });
        table.has_absent |= change.has_absent;
      }
      ++table.counts[TableChanges::Index(change.op)];
      table.changes.push_back(change);
    }
    if (!table.changes.empty() || table.truncated) batch.tables.push_back(std::move(table));
    state.reset();
  }
  batch.epoch = position_.epoch;
  batch.lsn = position_.lsn;
  batch.covered_lsn = position_.covered_lsn;
  batch.next_offset = position_.next_offset;
  batch.commit_time_us = commit_time_us_;
  batch.transactions = complete_;
  batch.rows = rows_ - static_cast<int64_t>(open_changes_.size());
  batch.first_lsn = first_lsn_;
  // A transaction that is read again begins with its tables as they were before it.
  const bool whole = chunk || !open_;
  const auto later = whole ? new_relations_.end() : new_relations_.begin() + relations_before_open_;
  batch.relations.assign(new_relations_.begin(), later);
  new_relations_.erase(new_relations_.begin(), later);
  relations_before_open_ = 0;
  batch.in_doubt.assign(new_doubts_.begin(), new_doubts_.end());
  new_doubts_.clear();
  batch.arenas = std::exchange(old_arenas_, {});
  batch.arenas.push_back(arena_);
  // The transaction being read keeps what it has in the old arena.
  if (!open_changes_.empty()) old_arenas_.push_back(arena_);
  arena_ = std::make_shared<Arena>();
  bytes_ = 0;
  rows_ = static_cast<int64_t>(open_changes_.size());
  complete_ = 0;
  progressed_ = false;
  if (open_changes_.empty()) force_cut_ = false;
  return batch;
}

}  // namespace switchyard::replayer
