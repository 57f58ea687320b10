#include "replayer/copy/copy_lane.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/fault.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/records/copies.h"
#include "common/records/copy_lanes.h"
#include "replayer/copy/held_copy.h"
#include "replayer/target/quarantine/careful_rows.h"
#include "replayer/write/savepoint.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::SourcePlan;
using mapping::TableWrite;

namespace {

constexpr int64_t kQueueBytes = 8 << 20;
// Without work for this long a lane commits, so that the progress shows.
constexpr absl::Duration kIdle = absl::Milliseconds(100);

// The target columns of `write` in the order of the copied columns, when it takes exactly those,
// unread; empty otherwise.
std::vector<std::string> DirectColumns(const SourcePlan& source, const TableWrite& write,
                                       const event::v1::Relation& relation) {
  if (write.copy_in.empty() ||
      write.copy_columns.size() != static_cast<size_t>(relation.columns_size())) {
    return {};
  }
  std::vector<std::string> columns;
  for (const event::v1::Column& column : relation.columns()) {
    for (size_t i = 0; i < write.copy_columns.size(); ++i) {
      if (source.columns[write.copy_columns[i]].name == column.name()) {
        columns.push_back(write.copy_targets[i]);
      }
    }
  }
  return columns.size() == write.copy_columns.size() ? columns : std::vector<std::string>();
}

}  // namespace

CopyLane::CopyLane(CopyLaneOptions options, const mapping::Plan& plan,
                   std::unique_ptr<pg::Session> session)
    : options_(std::move(options)),
      plan_(plan),
      next_offset_(options_.next_offset),
      session_(std::move(session)),
      gate_(*session_, options_.stream, options_.owner_epoch),
      loaded_offset_(options_.next_offset),
      committed_offset_(options_.next_offset),
      stage_(*session_, plan),
      writer_(stage_),
      quarantine_(writer_, options_.quarantine),
      queue_(kQueueBytes) {
  quarantine_.set_copying(true);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "copy-lane");
}

CopyLane::~CopyLane() {
  stop_ = true;
  queue_.Close();
  thread_.join();
}

absl::Status CopyLane::Push(CopyPiece piece) {
  const int64_t offset = piece.offset;
  const auto bytes = static_cast<int64_t>(piece.data.size());
  if (!queue_.Push(std::move(piece), bytes)) {
    MutexLock lock(&mu_);
    return status_;
  }
  next_offset_ = offset + 1;
  return absl::OkStatus();
}

void CopyLane::MoveTo(int64_t offset) {
  next_offset_ = loaded_offset_ = committed_offset_ = offset;
}

void CopyLane::RequestFlush() {
  {
    MutexLock lock(&mu_);
    ++asked_;
  }
  queue_.Push({}, 1);  // refused by a lane that has ended: AwaitFlush sees that
}

absl::Status CopyLane::AwaitFlush() {
  MutexLock lock(&mu_);
  while (flushed_ < asked_ && !ended_) changed_.Wait(&mu_);
  return status_;
}

void CopyLane::Run() {
  absl::Status status;
  while (status.ok() && !stop_) {
    std::optional<CopyPiece> piece = queue_.PopFor(kIdle);
    const bool flush = piece && piece->relation == nullptr;
    status = piece && !flush ? Load(std::move(*piece)) : Commit();
    if (!flush || !status.ok()) continue;
    MutexLock lock(&mu_);
    ++flushed_;
    changed_.SignalAll();
  }
  session_->Rollback();  // another lane may wait for a key of its rows
  {
    MutexLock lock(&mu_);
    status_ = status;
    ended_ = true;
    changed_.SignalAll();
  }
  queue_.Close();
}

// Whoever else loaded since loses or wins here, never both.
absl::Status CopyLane::BeginIfNeeded() {
  if (in_transaction_) return absl::OkStatus();
  if (!std::exchange(looked_, true)) RETURN_IF_ERROR(stage_.LookForHindrances());
  RETURN_IF_ERROR(session_->Begin());
  in_transaction_ = true;
  RETURN_IF_ERROR(gate_.Pass(records::LaneWriter(options_.lane)));
  ASSIGN_OR_RETURN(
      const bool here,
      records::CopyLanes(*session_, options_.stream).LockAt(options_.lane, committed_offset_));
  if (here) return absl::OkStatus();
  return absl::AbortedError(
      "the copy position moved: another replayer, or the target lost its last commits in a crash");
}

absl::Status CopyLane::Load(CopyPiece piece) {
  pieces_.push_back(std::move(piece));
  absl::Status loaded = LoadPiece(pieces_.back());
  while (IsRefusedRow(loaded)) {
    refused_.insert(pieces_.back().relation->relation_id());
    loaded = LoadAgain();
  }
  RETURN_IF_ERROR(loaded);
  return transaction_bytes_ >= options_.transaction_bytes_max ? Commit() : absl::OkStatus();
}

// The transaction is lost to the statement that failed in it.
absl::Status CopyLane::LoadAgain() {
  session_->Rollback();
  in_transaction_ = false;
  transaction_bytes_ = 0;
  loaded_.clear();
  waiting_.clear();
  routes_.clear();  // their load tables are gone
  loaded_offset_ = committed_offset_;
  for (const CopyPiece& piece : pieces_) RETURN_IF_ERROR(LoadPiece(piece));
  return absl::OkStatus();
}

absl::Status CopyLane::LoadPiece(const CopyPiece& piece) {
  RETURN_IF_ERROR(BeginIfNeeded());
  const uint32_t id = piece.relation->relation_id();
  const auto known = routes_.find(id);
  if (known == routes_.end() || known->second.generation != piece.generation) {
    RETURN_IF_ERROR(OpenRoute(piece));
  }
  const Route& route = routes_[id];
  const SourcePlan& source = plan_.sources[piece.source];
  const bool direct = !route.direct.empty();
  RETURN_IF_ERROR(
      session_->BeginCopyIn(direct ? route.direct : "COPY " + route.load_table + " FROM STDIN"));
  RETURN_IF_ERROR(session_->PutCopyData(piece.data));
  const absl::StatusOr<int64_t> rows = session_->EndCopyIn();
  RETURN_IF_ERROR(Annotate(direct ? rows.status() : AsTypeChange(rows.status(), source),
                           "copy of " + source.name));
  const auto bytes = static_cast<int64_t>(piece.data.size());
  loaded_[id].rows += *rows;
  loaded_[id].bytes += bytes;
  if (!direct) waiting_.insert(id);
  loaded_offset_ = piece.offset + 1;
  transaction_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status CopyLane::OpenRoute(const CopyPiece& piece) {
  const SourcePlan& source = plan_.sources[piece.source];
  const uint32_t id = piece.relation->relation_id();
  Route route{.source = piece.source, .generation = piece.generation, .lsn = piece.lsn};
  std::vector<std::pair<TableWrite, MappingIndex>> writes;
  if (source.mirrored) writes.emplace_back(source.mirror, MappingIndex());
  for (const MappingIndex m : plan_.mapping_indices()) {
    if (plan_.mappings[m].source != piece.source || plan_.mirror_only) continue;
    if (options_.held[m]) {
      writes.emplace_back(HeldWrite(plan_, m), MappingIndex());
    } else {
      writes.emplace_back(plan_.mappings[m].write, m);
    }
  }
  const auto hindered = [&] { return stage_.hindrances().any(writes[0].first.display); };
  if (writes.size() == 1 && !refused_.contains(id) && !hindered()) {
    const TableWrite& write = writes[0].first;
    const std::vector<std::string> columns = DirectColumns(source, write, *piece.relation);
    if (!columns.empty()) {
      route.direct =
          absl::StrCat("COPY ", write.target, " (", mapping::JoinQuoted(columns), ") FROM STDIN");
    }
  }
  if (route.direct.empty()) {
    RETURN_IF_ERROR(OpenLoadTable(piece, &route));
    for (const auto& [write, mapping] : writes) {
      route.takes.push_back({mapping::BuildLoad(write, route.load_table), mapping});
    }
  }
  routes_[id] = std::move(route);
  return absl::OkStatus();
}

absl::Status CopyLane::OpenLoadTable(const CopyPiece& piece, Route* route) {
  const SourcePlan& source = plan_.sources[piece.source];
  const std::string name = absl::StrCat("sy_load_", piece.relation->relation_id());
  route->load_table = "pg_temp." + name;
  std::vector<std::string> columns;
  for (const event::v1::Column& column : piece.relation->columns()) {
    const auto used = std::ranges::find(source.columns, column.name(), &mapping::StageColumn::name);
    columns.push_back(QuoteIdentifier(column.name()) + " " +
                      (used == source.columns.end() ? "text" : used->type));
  }
  return session_->Execute(absl::StrCat("DROP TABLE IF EXISTS ", route->load_table,
                                        "; CREATE TEMP TABLE ", name, " (",
                                        absl::StrJoin(columns, ", "), ") ON COMMIT DELETE ROWS"));
}

absl::Status CopyLane::InsertLoaded() {
  for (const uint32_t id : waiting_) {
    const Route& route = routes_[id];
    for (const Take& take : route.takes) {
      RETURN_IF_ERROR(
          Annotate(InsertFrom(route, take), "copy of " + plan_.sources[route.source].name));
    }
  }
  waiting_.clear();
  return absl::OkStatus();
}

absl::Status CopyLane::InsertFrom(const Route& route, const Take& take) {
  if (take.sql.empty()) return absl::OkStatus();
  const auto insert = [&] { return session_->QueryPrepared(take.sql).status(); };
  if (!take.mapping.valid()) return AsTypeChange(insert(), plan_.sources[route.source]);
  const absl::Status inserted = InSavepoint(*session_, "sy_insert", insert);
  if (inserted.ok()) {
    return CheckLoaded(stage_, plan_.mappings[take.mapping].write, route.load_table);
  }
  if (!IsRefusedRow(inserted)) return inserted;
  return WriteRowsCarefully(writer_, quarantine_, take.mapping, route.load_table, route.lsn);
}

absl::Status CopyLane::CheckUnhindered() {
  if (plan_.mirror_only) return absl::OkStatus();
  std::set<std::string> tables;
  for (const auto& [id, loaded] : loaded_) {
    for (const mapping::MappingPlan& mapping : plan_.mappings) {
      if (mapping.source == routes_[id].source) tables.insert(mapping.display);
    }
  }
  return CheckHindrances(stage_, tables);
}

absl::Status CopyLane::Commit() {
  if (!in_transaction_) return absl::OkStatus();
  RETURN_IF_ERROR(InsertLoaded());
  RETURN_IF_ERROR(quarantine_.CheckBound());
  RETURN_IF_ERROR(CheckUnhindered());
  // Last, and in one order: other lanes wait for these rows.
  records::Copies copies(*session_, options_.stream);
  for (const auto& [id, loaded] : loaded_) {
    RETURN_IF_ERROR(copies.AddLoaded(id, loaded.rows, loaded.bytes));
  }
  RETURN_IF_ERROR(
      records::CopyLanes(*session_, options_.stream).Move(options_.lane, loaded_offset_));
  SY_FAULT_POINT("replayer.before_copy_commit");
  RETURN_IF_ERROR(session_->Commit());
  SY_FAULT_POINT("replayer.after_copy_commit");
  in_transaction_ = false;
  transaction_bytes_ = 0;
  loaded_.clear();
  pieces_.clear();
  committed_offset_ = loaded_offset_;
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
