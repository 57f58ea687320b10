#include "capture/publish/publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "capture/publish/replica_identity.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::capture {
namespace {

absl::Status OutOfOrder(const char* what, Lsn lsn, Lsn after) {
  return Lost(
      absl::StrFormat("the source sent %s at %s after %s", what, lsn.ToString(), after.ToString()),
      kCopyAllAnew);
}

}  // namespace

Publisher::Publisher(const Options& options, eventlog::LogWriter& writer, TableLookup tables)
    : writer_(writer),
      keys_(writer.keeps_keys()),
      tables_(std::move(tables)),
      encoder_(options.epoch),
      messages_(options.stream),
      marks_(options.stream),
      side_(options.stream),
      acks_(options.start),
      start_(options.start),
      position_(options.start),
      told_(options.start) {}

absl::Status Publisher::Append(std::string_view key, std::string_view payload) {
  ASSIGN_OR_RETURN(last_sequence_, writer_.Append(key, payload));
  return absl::OkStatus();
}

absl::Status Publisher::Hello(const event::v1::Hello& hello) {
  event::v1::Hello* out = encoder_.New().mutable_hello();
  *out = hello;
  out->set_start_lsn(start_.value());
  return AppendNew();
}

absl::Status Publisher::Publish(const PgoutputMessage& message) {
  switch (message.type) {
    case PgoutputMessage::Type::kRow:
      return OnRow(message.row);
    case PgoutputMessage::Type::kBegin:
      return OnBegin(message.begin);
    case PgoutputMessage::Type::kCommit:
      return OnCommit(message.commit);
    case PgoutputMessage::Type::kOrigin:
      return OnOrigin(message.origin);
    case PgoutputMessage::Type::kRelation:
      return OnRelation(message.relation);
    case PgoutputMessage::Type::kTruncate:
      return OnTruncate(message.truncate);
    case PgoutputMessage::Type::kMessage:
      return OnLogicalMessage(message.logical);
    case PgoutputMessage::Type::kType:
      return absl::OkStatus();  // types are known by their oid
  }
  return absl::OkStatus();
}

absl::Status Publisher::OnBegin(const BeginMessage& begin) {
  if (state_ != State::kOutside) return OutOfOrder("a Begin", begin.commit_lsn, begin_.commit_lsn);
  if (begin.commit_lsn < position_) return OutOfOrder("a Begin", begin.commit_lsn, position_);
  state_ = State::kBegun;
  begin_ = begin;
  origin_.clear();
  origin_lsn_ = Lsn();
  marked_by_.clear();
  first_row_ = true;
  source_owns_.reset();
  ordinal_ = 0;
  beat_ = false;
  return absl::OkStatus();
}

absl::Status Publisher::OnOrigin(const OriginMessage& origin) {
  if (state_ != State::kBegun) return OutOfOrder("an Origin", origin.lsn, begin_.commit_lsn);
  origin_ = origin.name;
  origin_lsn_ = origin.lsn;
  return absl::OkStatus();
}

absl::Status Publisher::EnterTransaction(const char* what) {
  if (state_ == State::kInside) return absl::OkStatus();
  if (state_ == State::kOutside) {
    return Lost(absl::StrFormat("the source sent %s outside a transaction, after %s", what,
                                position_.ToString()),
                kCopyAllAnew);
  }
  state_ = State::kInside;
  event::v1::Begin* begin = encoder_.New().mutable_begin();
  begin->set_commit_lsn(begin_.commit_lsn.value());
  begin->set_previous_commit_lsn(previous_commit_lsn_.value());
  begin->set_xid(begin_.xid);
  begin->set_commit_time_us(begin_.commit_time_us);
  begin->set_origin(origin_);
  begin->set_origin_lsn(origin_lsn_.value());
  begin->set_marked_by(marked_by_);
  return AppendNew();
}

absl::Status Publisher::OnCommit(const CommitMessage& commit) {
  if (state_ == State::kOutside || commit.commit_lsn != begin_.commit_lsn ||
      commit.end_lsn <= commit.commit_lsn) {
    return OutOfOrder("a Commit", commit.commit_lsn, begin_.commit_lsn);
  }
  const bool empty = state_ == State::kBegun;
  state_ = State::kOutside;
  position_ = commit.end_lsn;
  last_commit_time_us_ = commit.commit_time_us;
  if (!empty) {
    event::v1::Commit* out = encoder_.New().mutable_commit();
    out->set_commit_lsn(commit.commit_lsn.value());
    out->set_end_lsn(commit.end_lsn.value());
    out->set_commit_time_us(commit.commit_time_us);
    out->set_rows(ordinal_);
    if (source_owns_.has_value()) out->set_source_owns(*source_owns_);
    RETURN_IF_ERROR(AppendNew());
    previous_commit_lsn_ = commit.commit_lsn;
    ++transactions_;
    NoteTold();
  }
  return empty && beat_ ? Heartbeat(position_, commit.commit_time_us) : absl::OkStatus();
}

void Publisher::NoteTold() {
  told_ = position_;
  acks_.Sent(last_sequence_, position_);
}

absl::Status Publisher::OnRelation(const RelationMessage& relation) {
  if (messages_.Take(relation) || marks_.Take(relation) || side_.Take(relation)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(EnterTransaction("a Relation"));
  ASSIGN_OR_RETURN(const TableFacts table, tables_(relation));
  const RootTable& root = table.root;
  const bool leaf = root.relation_id != 0;
  relations_.Put(relation, leaf ? root.schema : relation.schema, leaf ? root.name : relation.name);
  event::v1::Relation* out = encoder_.New().mutable_relation();
  out->set_relation_id(relation.relation_id);
  out->set_schema(std::string(relation.schema));
  out->set_name(std::string(relation.name));
  out->set_replica_identity(ReplicaIdentityOf(relation.replica_identity));
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    const RelationColumn& column = relation.columns[i];
    event::v1::Column* described = out->add_columns();
    described->set_name(std::string(column.name));
    described->set_type_oid(column.type_oid);
    described->set_type_modifier(column.type_modifier);
    described->set_in_identity(column.in_identity);
    if (table.columns.empty()) continue;
    described->set_attnum(table.columns[i].own);
    described->set_root_attnum(table.columns[i].root);
  }
  out->set_root_relation_id(root.relation_id);
  out->set_root_schema(root.schema);
  out->set_root_name(root.name);
  return AppendNew();
}

absl::Status Publisher::OnRow(const RowMessage& row) {
  if (messages_.Owns(row.relation_id)) return OnMessageRow(row);
  if (marks_.Owns(row.relation_id)) return OnMark(row);
  if (side_.Owns(row.relation_id)) return OnSide(row);
  RETURN_IF_ERROR(EnterTransaction("a row"));
  ASSIGN_OR_RETURN(CachedRelation * relation, relations_.Check(row));
  ++rows_;
  const RowPlace place = {.commit_lsn = begin_.commit_lsn, .ordinal = ordinal_++};
  ASSIGN_OR_RETURN(const std::string_view key, EnterKey(row, place, relation));
  const absl::Status appended = Append(key, encoder_.EncodeRow(row, place));
  return absl::IsInvalidArgument(appended) ? TooLarge(appended, *relation) : appended;
}

absl::Status Publisher::OnMark(const RowMessage& row) {
  // Whatever else a transaction holds comes after its first row: it is inside by then.
  if (std::exchange(first_row_, false) && state_ == State::kBegun) {
    marked_by_ = marks_.WriterOf(row, begin_.xid);
  }
  return absl::OkStatus();
}

absl::Status Publisher::OnSide(const RowMessage& row) {
  const std::optional<bool> owns = side_.SourceOwns(row);
  if (!owns.has_value()) return absl::OkStatus();
  source_owns_ = owns;
  return EnterTransaction("who owns");
}

absl::StatusOr<std::string_view> Publisher::EnterKey(const RowMessage& row, const RowPlace& place,
                                                     CachedRelation* relation) {
  if (!keys_) return std::string_view();
  if (row.op != RowMessage::Op::kUpdate || row.old_kind == 0) return KeyOf(row, relation);
  old_key_ = OldKeyOf(row, relation);
  const bool identity = relation->key->is_identity();
  if (!identity || old_key_ == KeyOf(row, relation)) return KeyOf(row, relation);
  event::v1::KeyEnd* end = encoder_.New().mutable_key_end();
  end->set_relation_id(row.relation_id);
  end->set_commit_lsn(place.commit_lsn.value());
  end->set_ordinal(place.ordinal);
  RETURN_IF_ERROR(Append(old_key_, encoder_.Serialize()));
  return KeyOf(row, relation);
}

// No later start gets past it, so what can be done is on the source.
absl::Status Publisher::TooLarge(const absl::Status& refused,
                                 const CachedRelation& relation) const {
  return Lost(
      absl::StrFormat("a change of %s.%s at %s can't be captured: %s", relation.schema,
                      relation.name, begin_.commit_lsn.ToString(), FindingOf(refused, "").what),
      "make that row smaller on the source, or take its table out of the migration file, "
      "then copy all anew: switchyard recopy FILE --all");
}

absl::Status Publisher::OnTruncate(const TruncateMessage& truncate) {
  const auto ours = [this](uint32_t relation_id) {
    return messages_.Owns(relation_id) || marks_.Owns(relation_id) || side_.Owns(relation_id);
  };
  if (std::ranges::all_of(truncate.relation_ids, ours)) return absl::OkStatus();
  RETURN_IF_ERROR(EnterTransaction("a Truncate"));
  event::v1::Truncate* out = encoder_.New().mutable_truncate();
  for (const uint32_t relation_id : truncate.relation_ids) {
    if (!ours(relation_id)) out->add_relation_ids(relation_id);
  }
  out->set_cascade(truncate.cascade);
  out->set_restart_identity(truncate.restart_identity);
  out->set_commit_lsn(begin_.commit_lsn.value());
  out->set_ordinal(ordinal_++);
  return AppendNew();
}

absl::Status Publisher::OnLogicalMessage(const LogicalMessage& message) {
  if (message.transactional) {
    RETURN_IF_ERROR(EnterTransaction("a transactional message"));
  } else if (state_ != State::kOutside) {
    return OutOfOrder("a message", message.lsn, begin_.commit_lsn);
  } else if (message.prefix == kHeartbeatPrefix) {
    // Everything below the message has been decoded before it.
    return message.lsn > position_ ? Heartbeat(message.lsn, 0) : absl::OkStatus();
  }
  // One that belongs to no transaction moves no position: the next commit or heartbeat, which comes
  // after it on the log, tells that it is there, and until then it is sent again after a restart.
  event::v1::Message* out = encoder_.New().mutable_message();
  out->set_lsn(message.lsn.value());
  out->set_transactional(message.transactional);
  out->set_prefix(std::string(message.prefix));
  out->set_content(std::string(message.content));
  return AppendNew();
}

absl::Status Publisher::OnMessageRow(const RowMessage& row) {
  std::optional<LogicalMessage> message = messages_.Read(row);
  if (!message.has_value()) return absl::OkStatus();
  if (message->prefix == kHeartbeatPrefix) {
    beat_ = true;
    return absl::OkStatus();
  }
  message->lsn = begin_.commit_lsn;
  return OnLogicalMessage(*message);
}

absl::Status Publisher::Keepalive(Lsn wal_end, int64_t server_time_us, absl::Time now,
                                  bool urgent) {
  wal_end = std::max(wal_end, position_);
  if (state_ != State::kOutside || wal_end <= told_) return absl::OkStatus();
  if (!urgent && now - last_heartbeat_ < kHeartbeatSpacing) return absl::OkStatus();
  last_heartbeat_ = now;
  return Heartbeat(wal_end, server_time_us);
}

absl::Status Publisher::Heartbeat(Lsn lsn, int64_t time_us) {
  event::v1::Heartbeat* out = encoder_.New().mutable_heartbeat();
  out->set_lsn(lsn.value());
  out->set_time_us(time_us);
  RETURN_IF_ERROR(AppendNew());
  position_ = lsn;
  NoteTold();
  return absl::OkStatus();
}

}  // namespace switchyard::capture
