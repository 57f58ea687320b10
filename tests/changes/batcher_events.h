// The log as a batcher reads it, written by hand: whole transactions or single events of tables
// with a key `id` and two more columns.
//
//   Log log;
//   log.Hello(1, 0);
//   log.Transaction(100, {Insert("1", "a"), Delete("2")});
//   for (const LogEvent& event : log.events()) batcher.Add(event.payload, event.next_offset);
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/changes/batcher.h"
#include "common/mapping/plan.h"
#include "proto/event.pb.h"

namespace switchyard::changes {

using Field = std::optional<std::string>;  // nullopt is NULL
inline constexpr char kUnchanged[] = "(unchanged)";

constexpr uint32_t kTable = 7;
constexpr uint32_t kOtherTable = 8;
constexpr uint32_t kUnmapped = 9;

// Tables t and o: columns id, v and big, keyed by id.
inline mapping::Plan TwoTables() {
  mapping::Plan plan;
  for (const uint32_t id : {kTable, kOtherTable}) {
    mapping::SourcePlan source;
    source.relation_id = id;
    source.relation_ids = {id};
    source.schema = "public";
    source.name = id == kTable ? "t" : "o";
    source.columns = {{.name = "id", .type = "text", .toastable = true},
                      {.name = "v", .type = "text", .type_oid = 25},
                      {.name = "big", .type = "text", .toastable = true}};
    source.key = {0};
    plan.sources.push_back(source);
  }
  return plan;
}

// The log's columns come in another order, and one of them is used by no mapping.
inline void FillTuple(const std::vector<Field>& row, event::v1::Tuple* tuple) {
  for (const Field& field : {row[1], Field("unused"), row[0], row[2]}) {
    if (!field) {
      tuple->mutable_kinds()->push_back('n');
    } else if (*field == kUnchanged) {
      tuple->mutable_kinds()->push_back('u');
    } else {
      tuple->mutable_kinds()->push_back('t');
      tuple->add_values(*field);
    }
  }
}

inline event::v1::Relation RelationOf(uint32_t id) {
  event::v1::Relation relation;
  relation.set_relation_id(id);
  relation.set_schema("public");
  relation.set_name(id == kTable ? "t" : "o");
  for (const char* name : {"v", "unused", "id", "big"}) {
    event::v1::Column* column = relation.add_columns();
    column->set_name(name);
    column->set_type_oid(25);
    column->set_in_identity(column->name() == "id");
  }
  return relation;
}

// One change of a transaction, as an event without its head.
using ChangeEvent = event::v1::Event;

inline ChangeEvent RowEvent(event::v1::Row::Op op, uint32_t table) {
  ChangeEvent event;
  event.mutable_row()->set_op(op);
  event.mutable_row()->set_relation_id(table);
  return event;
}
inline ChangeEvent Insert(Field id, Field v, Field big = "B", uint32_t table = kTable) {
  ChangeEvent event = RowEvent(event::v1::Row::INSERT, table);
  FillTuple({id, v, big}, event.mutable_row()->mutable_new_tuple());
  return event;
}
inline ChangeEvent Update(Field id, Field v, Field big = "B", uint32_t table = kTable) {
  ChangeEvent event = RowEvent(event::v1::Row::UPDATE, table);
  FillTuple({id, v, big}, event.mutable_row()->mutable_new_tuple());
  return event;
}
// The row's key was `from`.
inline ChangeEvent Move(Field from, Field id, Field v, Field big = "B", uint32_t table = kTable) {
  ChangeEvent event = Update(std::move(id), std::move(v), std::move(big), table);
  FillTuple({from, {}, {}}, event.mutable_row()->mutable_old_tuple());
  event.mutable_row()->set_old_is_key(true);
  return event;
}
inline ChangeEvent Delete(Field id, uint32_t table = kTable) {
  ChangeEvent event = RowEvent(event::v1::Row::DELETE, table);
  FillTuple({id, {}, {}}, event.mutable_row()->mutable_old_tuple());
  event.mutable_row()->set_old_is_key(true);
  return event;
}
inline ChangeEvent Truncate(std::vector<uint32_t> tables = {kTable}) {
  ChangeEvent event;
  for (const uint32_t table : tables) event.mutable_truncate()->add_relation_ids(table);
  return event;
}

struct LogEvent {
  std::string payload;
  int64_t next_offset = 0;
};

class Log {
 public:
  Log& Append(event::v1::Event event) {
    if (event.format() == 0) event.set_format(1);
    if (event.epoch() == 0) event.set_epoch(epoch_);
    events_.push_back({event.SerializeAsString(), static_cast<int64_t>(events_.size()) + 1});
    return *this;
  }
  // And the Relation events that follow one.
  Log& Hello(uint64_t epoch, uint64_t start, uint64_t fork = 0) {
    epoch_ = epoch;
    previous_ = 0;
    event::v1::Event event;
    event.mutable_hello()->set_start_lsn(start);
    event.mutable_hello()->set_fork_lsn(fork);
    Append(event);
    for (const uint32_t id : {kTable, kOtherTable, kUnmapped}) Relation(RelationOf(id));
    return *this;
  }
  Log& Relation(const event::v1::Relation& relation) {
    event::v1::Event event;
    *event.mutable_relation() = relation;
    return Append(event);
  }
  Log& Begin(uint64_t lsn, const std::string& marked_by = "") {
    event::v1::Event event;
    event.mutable_begin()->set_commit_lsn(lsn);
    event.mutable_begin()->set_marked_by(marked_by);
    event.mutable_begin()->set_previous_commit_lsn(std::exchange(previous_, lsn));
    return Append(event);
  }
  Log& Commit(uint64_t lsn, uint64_t rows) {
    event::v1::Event event;
    event.mutable_commit()->set_commit_lsn(lsn);
    event.mutable_commit()->set_end_lsn(lsn + 1);
    event.mutable_commit()->set_commit_time_us(static_cast<int64_t>(lsn));
    event.mutable_commit()->set_rows(rows);
    return Append(event);
  }
  Log& Transaction(uint64_t lsn, const std::vector<ChangeEvent>& changes) {
    Begin(lsn);
    for (const ChangeEvent& change : changes) Append(change);
    return Commit(lsn, changes.size());
  }
  Log& Ours(uint64_t lsn, const std::vector<ChangeEvent>& changes) {
    Begin(lsn, "apply");
    for (const ChangeEvent& change : changes) Append(change);
    return Commit(lsn, changes.size());
  }
  // The transaction that opens or closes the side.
  Log& Flip(uint64_t lsn, bool source_owns) {
    Begin(lsn);
    event::v1::Event event;
    event.mutable_commit()->set_commit_lsn(lsn);
    event.mutable_commit()->set_end_lsn(lsn + 1);
    event.mutable_commit()->set_source_owns(source_owns);
    return Append(event);
  }
  // The event at the end was never written.
  Log& Lose() {
    events_.pop_back();
    return *this;
  }
  const std::vector<LogEvent>& events() const { return events_; }

 private:
  uint64_t epoch_ = 1;
  uint64_t previous_ = 0;
  std::vector<LogEvent> events_;
};

}  // namespace switchyard::changes
