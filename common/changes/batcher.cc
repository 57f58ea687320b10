#include "common/changes/batcher.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"

namespace switchyard::changes {

using event::v1::Event;

struct Batcher::RawChange {
  mapping::SourceIndex source;
  enum class Kind : char { kInsert, kUpdate, kDelete, kTruncate } kind = Kind::kInsert;
  const Value* row = nullptr;
  const Value* old_key = nullptr;  // update: only when the key changed
};

namespace {

constexpr uint32_t kFormat = 1;
// Of messages that Switchyard sends through the log to itself.
constexpr char kOwnPrefix[] = "switchyard.";

// What can't be read, or is not there, is nowhere else.
absl::Status LogLost(std::string_view what) { return Lost(what, kCopyAllAnew); }

}  // namespace

Batcher::Batcher(const mapping::Plan& plan, const Position& position, BatcherOptions options)
    : plan_(plan),
      options_(std::move(options)),
      position_(position),
      previous_commit_(position.lsn),
      relations_(plan),
      tables_(plan.sources.size()),
      arena_(std::make_shared<Arena>()) {}

Batcher::~Batcher() = default;

absl::Status Batcher::Add(std::string_view payload, int64_t next_offset) {
  const absl::StatusOr<bool> is_row = ParseRowEvent(payload, &row_);
  if (is_row.ok() && *is_row) return AddRow(row_, next_offset);
  if (!is_row.ok() || !event_.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return LogLost(absl::StrFormat("offset %d of the change topic is no event", next_offset - 1));
  }
  return Add(event_, next_offset);
}

absl::Status Batcher::Add(const Event& event, int64_t next_offset) {
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
  ASSIGN_OR_RETURN(const bool old, CheckHead(row.format, row.epoch, next_offset));
  return old ? absl::OkStatus() : OnRow(row);
}

absl::StatusOr<bool> Batcher::CheckHead(uint32_t format, uint64_t epoch,
                                        int64_t next_offset) const {
  if (format != kFormat) {
    return Refuse(
        absl::StrFormat(
            "the log holds an event of format %d at offset %d; this program reads format %d",
            format, next_offset - 1, kFormat),
        "upgrade it, then start it again");
  }
  if (epoch > position_.epoch) {
    return LogLost(absl::StrFormat(
        "offset %d is of epoch %d, but no Hello of that epoch came before it (at epoch %d): the "
        "log has lost records",
        next_offset - 1, epoch, position_.epoch));
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
      OnRelation(event.relation());
      return absl::OkStatus();
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
    case Event::kKeyEnd:   // of the row that follows, for readers that go by keys
    case Event::kMessage:  // only moves the position, for which somebody may wait
      hurries_ |= event.message().prefix().starts_with(kOwnPrefix);
      return absl::OkStatus();
    default:
      return LogLost(absl::StrFormat(
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
  const Lsn fork(event.hello().fork_lsn());
  if (fork.valid() && position_.covered_lsn > fork) {
    return LogLost(absl::StrFormat(
        "forked: the source was promoted (timeline %d), and its history left the former one at %s, "
        "but NEW has what that one had up to %s, %d bytes further: commits that the source never "
        "had; to keep any of them, look for them in NEW first",
        event.hello().timeline(), fork.ToString(), position_.covered_lsn.ToString(),
        position_.covered_lsn.value() - fork.value()));
  }
  const Lsn start(event.hello().start_lsn());
  if (position_.covered_lsn.valid() && start > position_.covered_lsn) {
    return LogLost(absl::StrFormat(
        "epoch %d starts at LSN %s, but the log before it only reaches %s: the log has lost "
        "records in between",
        event.epoch(), start.ToString(), position_.covered_lsn.ToString()));
  }
  position_.epoch = event.epoch();
  position_.covered_lsn = std::max(position_.covered_lsn, start);
  previous_commit_ = Lsn();
  progressed_ = true;
  return absl::OkStatus();
}

void Batcher::Restore(const event::v1::Relation& relation) { relations_.Learn(relation); }

void Batcher::OnRelation(const event::v1::Relation& relation) {
  new_relations_.emplace_back(relation.relation_id(), relation.SerializeAsString());
  relations_.Learn(relation);
}

absl::Status Batcher::OnBegin(const event::v1::Begin& begin) {
  const Lsn lsn(begin.commit_lsn());
  const Lsn previous(begin.previous_commit_lsn());
  if (open_) {
    return LogLost(absl::StrFormat("transaction %s begins before %s has ended", lsn.ToString(),
                                   open_lsn_.ToString()));
  }
  if (previous.valid() && previous != previous_commit_ && lsn > position_.lsn) {
    return LogLost(absl::StrFormat(
        "the commit at %s follows %s, but the last one read is %s: the log has a gap",
        lsn.ToString(), previous.ToString(), previous_commit_.ToString()));
  }
  previous_commit_ = lsn;
  open_ = true;
  open_lsn_ = lsn;
  open_author_ = !begin.marked_by().empty() ? Author::kOurs
                 : options_.source_owns     ? Author::kApplication
                                            : Author::kBreach;
  open_rows_ = 0;
  relations_before_open_ = new_relations_.size();
  skipping_ = lsn <= position_.lsn;
  hold_cut_ = complete_ > 0 && options_.hold_lsn && first_lsn_ < *options_.hold_lsn &&
              lsn >= *options_.hold_lsn;
  return absl::OkStatus();
}

absl::Status Batcher::OnRow(const RowView& row) {
  if (!open_) return LogLost("a row outside any transaction");
  ++open_rows_;
  if (skipping_) return absl::OkStatus();
  const RelationMap::Relation* known = relations_.Find(row.relation_id);
  if (known == nullptr) {
    return LogLost(
        absl::StrFormat("a row of relation %d, which no event describes", row.relation_id));
  }
  const RelationMap::Relation& relation = *known;
  if (!relation.source.valid()) return absl::OkStatus();
  if (InCopy(row.relation_id, relation.source) || options_.in_doubt.contains(relation.source) ||
      !IsOfUse(relation.source)) {
    return absl::OkStatus();
  }
  if (!relation.fit.ok()) return OnUnreadable(relation.source, relation.fit);

  RawChange change{.source = relation.source};
  const mapping::SourcePlan& source = plan_.sources[relation.source];
  if (row.old_tuple.present) {
    ASSIGN_OR_RETURN(const Value* old_row,
                     relations_.CopyTuple(relation, row.old_tuple, arena_.get(), &bytes_));
    Value* key = arena_->AllocateArray<Value>(source.key.size());
    for (size_t i = 0; i < source.key.size(); ++i) key[i] = old_row[source.key[i]];
    change.old_key = key;
  }
  if (row.new_tuple.present) {
    const absl::StatusOr<Value*> copied =
        relations_.CopyTuple(relation, row.new_tuple, arena_.get(), &bytes_);
    if (absl::IsFailedPrecondition(copied.status())) {
      return OnUnreadable(relation.source, copied.status());
    }
    ASSIGN_OR_RETURN(Value* const new_row, copied);
    for (size_t i = 0; i < source.key.size(); ++i) {
      Value& value = new_row[source.key[i]];
      if (!value.is_absent()) continue;
      // A key stored out of line that did not change: the source sends the old one with it.
      if (change.old_key == nullptr) {
        return LogLost(absl::StrFormat("an update of %s without column %s of its key", source.name,
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
      return LogLost("a row event without an operation");
  }
  const bool complete =
      change.kind == RawChange::Kind::kDelete ? change.old_key != nullptr : change.row != nullptr;
  if (!complete) {
    return LogLost(absl::StrFormat("a row event of %s without its tuple", source.name));
  }
  Keep(change);
  ++rows_;
  return absl::OkStatus();
}

void Batcher::Keep(const RawChange& change) {
  open_changes_.push_back(change);
  author_cut_ |= complete_ > 0 && author_.has_value() && *author_ != open_author_;
}

bool Batcher::IsOfUse(mapping::SourceIndex source) const {
  return open_author_ != Author::kOurs || options_.keeps_all || plan_.sources[source].mirrored;
}

absl::Status Batcher::OnTruncate(const event::v1::Truncate& truncate) {
  if (!open_) return LogLost("a truncate outside any transaction");
  ++open_rows_;
  if (skipping_) return absl::OkStatus();
  const std::set<uint32_t> ids(truncate.relation_ids().begin(), truncate.relation_ids().end());
  std::set<mapping::SourceIndex> emptied;
  for (const uint32_t id : ids) {
    const RelationMap::Relation* relation = relations_.Find(id);
    if (relation == nullptr || !relation->source.valid() || InCopy(id, relation->source) ||
        !IsOfUse(relation->source)) {
      continue;
    }
    const mapping::SourceIndex source = relation->source;
    if (!ids.contains(plan_.sources[source].relation_id)) {
      RETURN_IF_ERROR(OnPartitionEmptied(source));
      continue;
    }
    if (options_.in_doubt.contains(source) || !emptied.insert(source).second) continue;
    Keep({.source = source, .kind = RawChange::Kind::kTruncate});
  }
  return absl::OkStatus();
}

// Whether the copy of the table holds the transaction being read.
bool Batcher::InCopy(uint32_t relation_id, mapping::SourceIndex source) const {
  const auto point = options_.copy_points.find(relation_id);
  if (point != options_.copy_points.end()) return open_lsn_ < point->second;
  const auto whole = options_.copied_before.find(source);
  return whole != options_.copied_before.end() && open_lsn_ < whole->second;
}

absl::Status Batcher::OnPartitionEmptied(mapping::SourceIndex source) {
  if (options_.copied_again.contains(source)) {
    options_.in_doubt.insert(source);
    new_doubts_.insert(source);  // told again should this transaction come again
    return absl::OkStatus();
  }
  const mapping::SourcePlan& table = plan_.sources[source];
  return OnUnreadable(
      source,
      Refuse(absl::StrFormat("a partition of %s.%s was truncated: which of its rows went can't be "
                             "told from the log",
                             table.schema, table.name),
             absl::StrFormat("switchyard recopy FILE %s.%s, then start the replayer again",
                             table.schema, table.name)));
}

absl::Status Batcher::OnUnreadable(mapping::SourceIndex source, const absl::Status& why) {
  unreadable_ = {.source = source, .why = std::string(why.message())};
  abort_pending_ |= std::exchange(chunked_, false);
  progressed_ = true;  // a batch is to tell of it
  return why;
}

absl::Status Batcher::OnCommit(const event::v1::Commit& commit) {
  if (!open_ || Lsn(commit.commit_lsn()) != open_lsn_) {
    return LogLost(
        absl::StrFormat("a commit at %s that was not begun", Lsn(commit.commit_lsn()).ToString()));
  }
  if (commit.rows() != open_rows_) {
    return LogLost(absl::StrFormat("the transaction at %s has %d rows on the log, %d were captured",
                                   open_lsn_.ToString(), open_rows_, commit.rows()));
  }
  open_ = false;
  if (skipping_) return absl::OkStatus();
  MergeOpen();
  continues_ |= chunked_;
  if (chunked_) author_ = open_author_;
  chunked_ = false;
  if (complete_++ == 0) first_lsn_ = open_lsn_;
  position_.lsn = open_lsn_;
  position_.covered_lsn = std::max(position_.covered_lsn, Lsn(commit.end_lsn()));
  commit_time_us_ = commit.commit_time_us();
  if (commit.has_source_owns()) {
    hurries_ |= options_.source_owns != commit.source_owns();
    options_.source_owns = commit.source_owns();
  }
  return absl::OkStatus();
}

void Batcher::Merge(const RawChange& change) {
  std::unique_ptr<TableCollapse>& table = tables_[change.source];
  if (table == nullptr) {
    table = std::make_unique<TableCollapse>(plan_.sources[change.source], change.source);
  }
  switch (change.kind) {
    case RawChange::Kind::kInsert:
      table->Insert(change.row, arena_.get());
      break;
    case RawChange::Kind::kUpdate:
      table->Update(change.row, change.old_key, arena_.get());
      break;
    case RawChange::Kind::kDelete:
      table->Delete(change.old_key);
      break;
    case RawChange::Kind::kTruncate:
      table->Truncate();
      break;
  }
}

void Batcher::MergeOpen() {
  if (!open_changes_.empty()) author_ = open_author_;
  for (const RawChange& change : open_changes_) Merge(change);
  open_changes_.clear();
}

bool Batcher::full() const {
  return hold_cut_ || author_cut_ || abort_pending_ || rows_ >= options_.batch_rows_max ||
         bytes_ >= options_.batch_bytes_max ||
         (complete_ > 0 && position_.lsn <= options_.alone_until);
}

bool Batcher::only_progress() const {
  return !author_.has_value() && new_doubts_.empty() && !unreadable_ && !abort_pending_ &&
         !continues_ && !hurries_;
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
    Batch batch = Cut(Piece::kChunk);
    batch.continues = continues;
    return batch;
  }
  Batch batch = Cut(Piece::kWhole);
  batch.continues = std::exchange(continues_, false);
  return batch;
}

Batch Batcher::Cut(Piece piece) {
  const bool chunk = piece == Piece::kChunk;
  Batch batch;
  batch.chunk = chunk;
  batch.author = author_.value_or(Author::kApplication);
  author_.reset();
  for (std::unique_ptr<TableCollapse>& table : tables_) {
    if (table == nullptr || table->empty()) continue;
    TableChanges changes = table->Changes(arena_.get());
    if (!changes.changes.empty() || changes.truncated) batch.tables.push_back(std::move(changes));
    table.reset();
  }
  batch.epoch = position_.epoch;
  batch.lsn = position_.lsn;
  batch.covered_lsn = position_.covered_lsn;
  batch.next_offset = position_.next_offset;
  batch.commit_time_us = commit_time_us_;
  batch.source_owns = options_.source_owns;
  batch.transactions = complete_;
  batch.rows = rows_ - static_cast<int64_t>(open_changes_.size());
  if (chunk) batch.first_lsn = open_lsn_;
  if (complete_ > 0) batch.first_lsn = first_lsn_;
  // A transaction that is read again begins with its tables as they were before it.
  const bool whole = chunk || !open_;
  const auto later =
      whole ? new_relations_.end()
            : new_relations_.begin() + static_cast<std::ptrdiff_t>(relations_before_open_);
  batch.relations.assign(new_relations_.begin(), later);
  new_relations_.erase(new_relations_.begin(), later);
  relations_before_open_ = 0;
  batch.in_doubt.assign(new_doubts_.begin(), new_doubts_.end());
  new_doubts_.clear();
  batch.unreadable = unreadable_;
  batch.arenas = std::exchange(old_arenas_, {});
  batch.arenas.push_back(arena_);
  // The transaction being read keeps what it has in the old arena.
  if (!open_changes_.empty()) old_arenas_.push_back(arena_);
  arena_ = std::make_shared<Arena>();
  bytes_ = 0;
  rows_ = static_cast<int64_t>(open_changes_.size());
  complete_ = 0;
  progressed_ = false;
  hold_cut_ = false;
  author_cut_ = false;
  hurries_ &= open_;  // by what is open
  return batch;
}

}  // namespace switchyard::changes
