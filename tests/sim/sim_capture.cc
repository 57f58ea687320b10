#include "tests/sim/sim_capture.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "capture/publish/log_coverage.h"

namespace switchyard::sim {
namespace {

using capture::PgoutputMessage;
using capture::RowMessage;
using capture::TupleFields;

// In another order than the plan's, with a column that no mapping reads.
constexpr const char* kColumns[] = {"v", "unused", "id", "big"};

void Fill(const std::string& key, const SimRow& row, bool big_is_sent, TupleFields* fields) {
  *fields = {{'t', row.v}, {'n', {}}, {'t', key}, {big_is_sent ? 't' : 'u', row.big}};
  if (!big_is_sent) fields->back().value = {};
}

void FillKey(const std::string& key, TupleFields* fields) {
  *fields = {{'n', {}}, {'n', {}}, {'t', key}, {'n', {}}};
}

}  // namespace

SimCapture::SimCapture(World& world, SimSource& source, SimLog& log, const Cancel& cancel)
    : world_(world), source_(source), log_(log) {
  status_ = Begin(cancel);
}

// As StreamRun: the slot, the look at the log, the epoch, its Hello.
absl::Status SimCapture::Begin(const Cancel& cancel) {
  RETURN_IF_ERROR(log_.CreateTopic(kChangeTopic));
  const Lsn start = source_.confirmed;
  ASSIGN_OR_RETURN(const capture::LogCoverage coverage,
                   capture::FindLogCoverage(log_.kept(), kChangeTopic, cancel));
  const bool all_trimmed = coverage.trimmed && !coverage.covered.valid();
  const Lsn covered = std::max(coverage.covered, source_.slot_start);
  world_.Check(source_.epoch == 0 || all_trimmed || covered >= start, [&] {
    return absl::StrCat("the slot was acknowledged to ", start.ToString(), ", the log ends at ",
                        covered.ToString());
  });
  ++source_.epoch;
  ASSIGN_OR_RETURN(writer_, log_.OpenWriter(kChangeTopic));
  publisher_.emplace(
      capture::Publisher::Options{.stream = "sim", .epoch = source_.epoch, .start = start},
      *writer_, [](const capture::RelationMessage&) { return capture::TableFacts(); });
  next_ = source_.Find(start);
  return publisher_->Hello({});
}

void SimCapture::LoseSlot() {
  has_slot_ = false;
  wal_end_ = std::min(source_.wal().size(), next_ + 3);
}

void SimCapture::Step() {
  if (has_slot_) wal_end_ = source_.wal().size();
  if (status_.ok()) status_ = SendNext();
  if (status_.ok()) status_ = writer_->status();
  if (status_.ok() && has_slot_) Acknowledge();
}

absl::Status SimCapture::SendNext() {
  if (!idle()) return SendMessageOf(source_.wal()[next_]);
  if (!has_slot_) return absl::OkStatus();
  const bool urgent = world_.random.OneIn(4);
  return publisher_->Keepalive(source_.end(), absl::ToUnixMicros(world_.Now()), world_.Now(),
                               urgent);
}

absl::Status SimCapture::SendMessageOf(const SimRecord& record) {
  if (record.xid == 0) {
    ++next_;
    return SendMessage(record.lsn, false, record.heartbeat ? capture::kHeartbeatPrefix : "marker");
  }
  if (message_ == 0) {
    out_.type = PgoutputMessage::Type::kBegin;
    out_.begin = {.commit_lsn = record.lsn, .commit_time_us = 1, .xid = record.xid};
    ++message_;
    return publisher_->Publish(out_);
  }
  if (message_ <= record.changes.size()) {
    return SendChange(record, record.changes[message_++ - 1]);
  }
  out_.type = PgoutputMessage::Type::kCommit;
  out_.commit = {.commit_lsn = record.lsn, .end_lsn = record.end, .commit_time_us = 1};
  message_ = 0;
  ++next_;
  return publisher_->Publish(out_);
}

absl::Status SimCapture::SendRelation(int table) {
  out_.type = PgoutputMessage::Type::kRelation;
  out_.relation.relation_id = RelationId(table);
  out_.relation.schema = "public";
  out_.relation.name = table == 0 ? "t" : table == 1 ? "f" : "unmapped";
  const bool full = table == kFullTable;
  out_.relation.replica_identity = full ? 'f' : 'd';
  out_.relation.columns.clear();
  for (const char* name : kColumns) {
    out_.relation.columns.push_back(
        {.in_identity = full || std::string_view(name) == "id", .name = name, .type_oid = 25});
  }
  return publisher_->Publish(out_);
}

absl::Status SimCapture::SendMessage(Lsn lsn, bool transactional, const char* prefix) {
  out_.type = PgoutputMessage::Type::kMessage;
  out_.logical = {.transactional = transactional, .lsn = lsn, .prefix = prefix, .content = "x"};
  return publisher_->Publish(out_);
}

absl::Status SimCapture::SendTruncate(const SimChange& change) {
  out_.type = PgoutputMessage::Type::kTruncate;
  out_.truncate = {.relation_ids = {RelationId(change.table)}};
  return publisher_->Publish(out_);
}

absl::Status SimCapture::SendChange(const SimRecord& record, const SimChange& change) {
  if (change.kind == SimChange::Kind::kMessage) return SendMessage(record.lsn, true, "marker");
  if (described_.insert(change.table).second) RETURN_IF_ERROR(SendRelation(change.table));
  if (change.kind == SimChange::Kind::kTruncate) return SendTruncate(change);
  out_.type = PgoutputMessage::Type::kRow;
  RowMessage& row = out_.row;
  row.relation_id = RelationId(change.table);
  row.old_kind = 0;
  row.new_fields.clear();
  const bool full = change.table == kFullTable;
  const bool inserts = change.kind == SimChange::Kind::kInsert;
  const bool deletes = change.kind == SimChange::Kind::kDelete;
  row.op = inserts   ? RowMessage::Op::kInsert
           : deletes ? RowMessage::Op::kDelete
                     : RowMessage::Op::kUpdate;
  if (!deletes) {
    Fill(change.key, change.row, inserts || change.row.big != change.old_row.big, &row.new_fields);
  }
  if (!inserts && full) {
    row.old_kind = 'O';
    Fill(change.old_key, change.old_row, true, &row.old_fields);
  } else if (deletes || change.kind == SimChange::Kind::kMove) {
    row.old_kind = 'K';
    FillKey(change.old_key, &row.old_fields);
  }
  return publisher_->Publish(out_);
}

// What is acknowledged is nowhere but on the log.
void SimCapture::Acknowledge() {
  status_ = publisher_->TellPosition(world_.Now());
  const Lsn confirmed = publisher_->Confirm();
  if (confirmed <= source_.confirmed) return;
  for (size_t i = source_.Find(source_.confirmed); i < source_.wal().size(); ++i) {
    const SimRecord& record = source_.wal()[i];
    if (record.lsn >= confirmed) break;
    world_.Check(record.changes.empty() || log_.HasCommit(record.lsn), [&] {
      return absl::StrCat("promise 1: the slot was acknowledged to ", confirmed.ToString(),
                          ", but the log does not hold the commit at ", record.lsn.ToString());
    });
  }
  source_.confirmed = confirmed;
}

}  // namespace switchyard::sim
