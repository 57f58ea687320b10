#include "tests/support/simple_capture.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "capture/decode/pgoutput_decoder.h"
#include "common/base/strings.h"
#include "proto/event.pb.h"

namespace switchyard::testing {

using event::v1::Event;

absl::StatusOr<std::unique_ptr<SimpleCapture>> SimpleCapture::Start(pg::Session& source,
                                                                    const catalog::Catalog& catalog,
                                                                    eventlog::EventLog& log,
                                                                    Options options) {
  std::unique_ptr<SimpleCapture> capture(new SimpleCapture(source, catalog, std::move(options)));
  const Options& own = capture->options_;
  std::vector<std::string> tables;
  for (const catalog::Table& table : catalog.tables) {
    if (table.root_oid == 0) tables.push_back(table.Quoted());
  }
  RETURN_IF_ERROR(source.Execute(
      absl::StrCat("CREATE PUBLICATION ", own.slot, " FOR TABLE ", absl::StrJoin(tables, ", "))));
  ASSIGN_OR_RETURN(
      const pg::Result slot,
      source.Query("SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')",
                   {own.slot}));
  ASSIGN_OR_RETURN(const Lsn lsn, Lsn::Parse(slot.text(0, 0)));
  RETURN_IF_ERROR(log.CreateTopic(own.change_topic));
  RETURN_IF_ERROR(log.CreateTopic(own.copy_topic));
  ASSIGN_OR_RETURN(capture->changes_, log.OpenWriter(own.change_topic));
  ASSIGN_OR_RETURN(capture->copies_, log.OpenWriter(own.copy_topic));
  std::vector<const catalog::Table*> copied;
  for (const catalog::Table& table : catalog.tables) {
    if (table.kind == 'r') copied.push_back(&table);
  }
  RETURN_IF_ERROR(capture->CopyHello({}));
  RETURN_IF_ERROR(capture->Copy(copied, lsn, 0));
  RETURN_IF_ERROR(capture->BeginEpoch(Lsn()));
  return capture;
}

absl::Status SimpleCapture::NewEpoch(Lsn fork) {
  ++epoch_;
  RETURN_IF_ERROR(CopyHello({}, fork));
  return BeginEpoch(fork);
}

absl::Status SimpleCapture::BeginEpoch(Lsn fork) {
  ASSIGN_OR_RETURN(
      const pg::Result slot,
      source_.Query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1",
                    {options_.slot}));
  ASSIGN_OR_RETURN(const Lsn start, Lsn::Parse(slot.text(0, 0)));
  publisher_ = std::make_unique<capture::Publisher>(
      capture::Publisher::Options{.epoch = epoch_, .start = start}, *changes_,
      [this](const capture::RelationMessage& relation) -> absl::StatusOr<capture::TableFacts> {
        const catalog::Table* leaf = catalog_.FindOid(relation.relation_id);
        const catalog::Table* root = leaf == nullptr ? nullptr : catalog_.FindOid(leaf->root_oid);
        capture::TableFacts facts;
        if (root != nullptr) facts.root = {root->oid, root->schema, root->name};
        ASSIGN_OR_RETURN(facts.columns,
                         capture::LoadColumnNumbers(source_, relation, facts.root.relation_id));
        return facts;
      });
  event::v1::Hello hello;
  hello.set_stream("test.forward");
  hello.set_slot(options_.slot);
  hello.set_fork_lsn(fork.value());
  return publisher_->Hello(hello);
}

absl::Status SimpleCapture::Pump() {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      source_.Query(
          "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, "
          "'proto_version', '1', 'publication_names', $2, 'messages', 'true')",
          {options_.slot, options_.slot}));
  capture::PgoutputMessage message;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string bytes = absl::HexStringToBytes(Sv(rows.text(i, 0)));
    RETURN_IF_ERROR(capture::DecodePgoutput(bytes, &message));
    RETURN_IF_ERROR(publisher_->Publish(message));
    if (message.type == capture::PgoutputMessage::Type::kCommit) {
      last_commit_ = message.commit.commit_lsn;
    }
  }
  return changes_->Flush(absl::Seconds(30));
}

absl::Status SimpleCapture::DieAfter(int messages) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      source_.Query(
          "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, "
          "'proto_version', '1', 'publication_names', $2, 'messages', 'true') LIMIT $3::int",
          {options_.slot, options_.slot, std::to_string(messages)}));
  capture::PgoutputMessage message;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string bytes = absl::HexStringToBytes(Sv(rows.text(i, 0)));
    RETURN_IF_ERROR(capture::DecodePgoutput(bytes, &message));
    RETURN_IF_ERROR(publisher_->Publish(message));
  }
  return NewEpoch();
}

absl::Status SimpleCapture::ReopenCopyTopic(eventlog::EventLog& log) {
  ASSIGN_OR_RETURN(copies_, log.OpenWriter(options_.copy_topic));
  return absl::OkStatus();
}

absl::Status SimpleCapture::CopyHello(const std::map<uint32_t, uint64_t>& finished, Lsn fork) {
  Event event;
  event.set_format(1);
  event.set_epoch(epoch_);
  event.mutable_hello()->set_stream("test.forward");
  event.mutable_hello()->set_fork_lsn(fork.value());
  for (const auto& [relation_id, generation] : finished) {
    event::v1::FinishedCopy* copy = event.mutable_hello()->add_finished_copies();
    copy->set_relation_id(relation_id);
    copy->set_generation(generation);
  }
  RETURN_IF_ERROR(copies_->Append("", event.SerializeAsString()).status());
  return copies_->Flush(absl::Seconds(30));
}

absl::Status SimpleCapture::RecopyTables(const std::vector<std::string>& names,
                                         uint32_t partitions) {
  std::vector<const catalog::Table*> tables;
  for (const catalog::Table& table : catalog_.tables) {
    if (std::ranges::count(names, table.name) > 0) tables.push_back(&table);
  }
  // A slot point holds the commits below it; the tables are read before anything else commits.
  ASSIGN_OR_RETURN(const pg::Result point, source_.Query("SELECT pg_current_wal_insert_lsn()"));
  ASSIGN_OR_RETURN(const Lsn lsn, Lsn::Parse(point.text(0, 0)));
  return Copy(tables, lsn, partitions);
}

absl::Status SimpleCapture::Copy(const std::vector<const catalog::Table*>& tables, Lsn lsn,
                                 uint32_t partitions) {
  for (const catalog::Table* table : tables) RETURN_IF_ERROR(WritePoint(*table, lsn, partitions));
  for (const catalog::Table* table : tables) RETURN_IF_ERROR(WriteRows(*table));
  return copies_->Flush(absl::Seconds(30));
}

absl::Status SimpleCapture::WritePoint(const catalog::Table& table, Lsn lsn, uint32_t partitions) {
  const uint64_t generation = ++generations_[table.oid];
  Event event;
  event.set_format(1);
  event.set_epoch(epoch_);
  event::v1::CopyPoint* point = event.mutable_copy_point();
  point->set_relation_id(table.oid);
  point->set_generation(generation);
  point->set_lsn(lsn.value());
  point->set_time_us(absl::ToUnixMicros(absl::Now()));
  point->set_recopy(generation > 1);
  point->mutable_relation()->set_relation_id(table.oid);
  point->mutable_relation()->set_schema(table.schema);
  point->mutable_relation()->set_name(table.name);
  point->mutable_relation()->set_root_relation_id(table.root_oid);
  point->set_partitions(partitions);
  for (const catalog::Column& column : table.columns) {
    if (column.generated) continue;
    event::v1::Column* out = point->mutable_relation()->add_columns();
    out->set_name(column.name);
    out->set_type_oid(column.type_oid);
    out->set_type_modifier(column.type_modifier);
    out->set_in_identity(column.in_identity);
    out->set_attnum(column.number);
    const catalog::Table* root = catalog_.FindOid(table.root_oid);
    if (root != nullptr) out->set_root_attnum(root->FindColumn(column.name)->number);
  }
  return copies_->Append("", event.SerializeAsString()).status();
}

absl::Status SimpleCapture::WriteRows(const catalog::Table& table) {
  const uint64_t generation = generations_[table.oid];
  Event event;
  event.set_format(1);
  event.set_epoch(epoch_);
  const auto append = [&] { return copies_->Append("", event.SerializeAsString()).status(); };
  std::vector<std::string> columns;
  for (const catalog::Column& column : table.columns) {
    if (!column.generated) columns.push_back(QuoteIdentifier(column.name));
  }
  uint64_t rows = 0;
  event::v1::CopyChunk* chunk = event.mutable_copy_chunk();
  const auto flush = [&]() -> absl::Status {
    if (chunk->rows() == 0) return absl::OkStatus();
    RETURN_IF_ERROR(append());
    chunk->clear_data();
    chunk->set_rows(0);
    return absl::OkStatus();
  };
  chunk->set_relation_id(table.oid);
  chunk->set_generation(generation);
  RETURN_IF_ERROR(source_.CopyOut(
      absl::StrCat("COPY ", table.Quoted(), " (", absl::StrJoin(columns, ", "), ") TO STDOUT"),
      [&](std::string_view line) -> absl::Status {
        chunk->mutable_data()->append(line);
        chunk->set_rows(chunk->rows() + 1);
        ++rows;
        return chunk->rows() >= static_cast<uint32_t>(options_.copy_chunk_rows) ? flush()
                                                                                : absl::OkStatus();
      }));
  RETURN_IF_ERROR(flush());
  event::v1::CopyEnd* end = event.mutable_copy_end();
  end->set_relation_id(table.oid);
  end->set_generation(generation);
  end->set_rows(rows);
  return append();
}

}  // namespace switchyard::testing
