#include "replayer/copy_loader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/install.h"
#include "common/mapping/sql_builder.h"
#include "replayer/held_copy.h"

namespace switchyard::replayer {

using event::v1::Event;
using mapping::SourcePlan;
using mapping::TableWrite;

namespace {

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

// What to know of a copy that does not fit together.
std::string FirstAndLast(Lsn first, Lsn last) {
  if (first == last) return "the copy";
  return absl::StrCat("the copy (its tables are of ", first.ToString(), " to ", last.ToString(),
                      ": where foreign keys hold, copy all at once, with switchyard recopy FILE "
                      "--all)");
}

}  // namespace

CopyLoader::CopyLoader(PgTarget& target, const mapping::Plan& plan, CopyLoaderOptions options)
    : target_(target), plan_(plan), options_(std::move(options)) {}

absl::Status CopyLoader::Start() {
  ASSIGN_OR_RETURN(const StreamState state, target_.LoadState());
  next_offset_ = committed_offset_ = state.copy_offset;
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      target_.session().Query(
          "SELECT relation_id::bigint, generation, lsn, done, rows, bytes FROM switchyard.copy "
          "WHERE stream = $1",
          {options_.stream}));
  for (int i = 0; i < rows.rows(); ++i) {
    TableProgress& table = progress_[static_cast<uint32_t>(rows.i64(i, 0))];
    table.generation = static_cast<uint64_t>(rows.i64(i, 1));
    ASSIGN_OR_RETURN(table.lsn, Lsn::Parse(rows.text(i, 2)));
    table.done = rows.boolean(i, 3);
    table.rows = rows.i64(i, 4);
    table.bytes = rows.i64(i, 5);
  }
  ASSIGN_OR_RETURN(const auto relations, target_.LoadRelations());
  for (const event::v1::Relation& relation : relations) {
    roots_[relation.relation_id()] = relation.root_relation_id();
  }
  return state.state == "new" ? target_.SetState("copying") : absl::OkStatus();
}

const SourcePlan* CopyLoader::SourceOf(uint32_t relation_id) const {
  const auto root = roots_.find(relation_id);
  return plan_.FindRelation(relation_id, root == roots_.end() ? 0 : root->second);
}

bool CopyLoader::complete() const {
  // Partitions born since the plan was made; capture puts the points of all leaves first.
  for (const auto& [id, table] : progress_) {
    if (!table.done && SourceOf(id) != nullptr) return false;
  }
  for (const SourcePlan& source : plan_.sources) {
    for (const uint32_t id : source.relation_ids) {
      const auto it = progress_.find(id);
      if (it == progress_.end() || !it->second.done) return false;
    }
  }
  return true;
}

absl::Status CopyLoader::BeginIfNeeded() {
  if (in_transaction_) return absl::OkStatus();
  RETURN_IF_ERROR(target_.session().Begin());
  in_transaction_ = true;
  // As with the stream's position: whoever else loaded since loses or wins here, never both.
  ASSIGN_OR_RETURN(
      const pg::Result row,
      target_.session().QueryPrepared(
          "SELECT 1 FROM switchyard.stream WHERE name = $1 AND copy_offset = $2::bigint FOR UPDATE",
          {options_.stream, std::to_string(committed_offset_)}));
  if (row.rows() == 1) return absl::OkStatus();
  return absl::AbortedError(
      "the copy position moved: another replayer, or the target lost its "
      "last commits in a crash");
}

absl::Status CopyLoader::Add(const Event& event, int64_t next_offset) {
  if (event.format() != 1) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the copy topic holds an event of format %d; this program reads format 1. Upgrade it",
        event.format()));
  }
  RETURN_IF_ERROR(BeginIfNeeded());
  switch (event.body_case()) {
    case Event::kHello:
      break;
    case Event::kCopyPoint:
      RETURN_IF_ERROR(OnPoint(event.copy_point()));
      break;
    case Event::kCopyChunk:
      RETURN_IF_ERROR(OnChunk(event.copy_chunk()));
      break;
    case Event::kCopyEnd:
      RETURN_IF_ERROR(OnEnd(event.copy_end()));
      break;
    default:
      return absl::DataLossError(
          absl::StrFormat("offset %d of the copy topic holds an event that does not belong there",
                          next_offset - 1));
  }
  next_offset_ = next_offset;
  return transaction_bytes_ >= options_.transaction_bytes_max ? Commit() : absl::OkStatus();
}

absl::Status CopyLoader::Commit() {
  if (!in_transaction_) return absl::OkStatus();
  RETURN_IF_ERROR(InsertLoaded());
  for (const uint32_t id : changed_) RETURN_IF_ERROR(SaveProgress(id));
  changed_.clear();
  RETURN_IF_ERROR(target_.session()
                      .QueryPrepared("UPDATE switchyard.stream SET copy_offset = $2::bigint, "
                                     "updated_at = clock_timestamp() "
                                     "WHERE name = $1",
                                     {options_.stream, std::to_string(next_offset_)})
                      .status());
  SY_FAULT_POINT("replayer.before_copy_commit");
  RETURN_IF_ERROR(target_.session().Commit());
  SY_FAULT_POINT("replayer.after_copy_commit");
  in_transaction_ = false;
  transaction_bytes_ = 0;
  committed_offset_ = next_offset_;
  return absl::OkStatus();
}

absl::Status CopyLoader::OnPoint(const event::v1::CopyPoint& point) {
  const uint32_t id = point.relation_id();
  roots_[id] = point.relation().root_relation_id();
  if (SourceOf(id) == nullptr) return absl::OkStatus();
  TableProgress& table = progress_[id];
  if (point.generation() < table.generation) return absl::OkStatus();
  if (table.rows > 0 && point.generation() > table.generation) {
    RETURN_IF_ERROR(Discard(id));
  }
  if (point.generation() > table.generation || !table.lsn.valid()) {
    table = {.generation = point.generation(), .lsn = Lsn(point.lsn())};
  }
  RETURN_IF_ERROR(
      target_.session()
          .Query(
              "INSERT INTO switchyard.copy (stream, relation_id, table_name, generation, lsn, "
              "rows_estimate,"
              " bytes_estimate) VALUES ($1, $2::oid, $3, $4::bigint, $5::pg_lsn, $6::bigint, "
              "$7::bigint) "
              "ON CONFLICT (stream, relation_id) DO UPDATE SET generation = excluded.generation, "
              "lsn = excluded.lsn, done = false, rows = 0, bytes = 0, "
              "rows_estimate = excluded.rows_estimate, bytes_estimate = excluded.bytes_estimate, "
              "started_at = now(), finished_at = NULL",
              {options_.stream, std::to_string(id),
               absl::StrCat(point.relation().schema(), ".", point.relation().name()),
               std::to_string(point.generation()), Lsn(point.lsn()).ToString(),
               std::to_string(point.rows_estimate()), std::to_string(point.bytes_estimate())})
          .status());
  // The routes must survive a restart in the middle of the table.
  std::string definition;
  point.relation().SerializeToString(&definition);
  RETURN_IF_ERROR(target_.StoreRelation(id, definition));
  return OpenRoute(id, point.relation());
}

absl::Status CopyLoader::OpenRoute(uint32_t id, const event::v1::Relation& relation) {
  const SourcePlan* source = SourceOf(id);
  Route route{.source = static_cast<int>(source - plan_.sources.data())};
  std::vector<TableWrite> writes;
  if (source->mirrored) writes.push_back(source->mirror);
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    if (plan_.mappings[m].source != route.source) continue;
    const bool held =
        target_.ordered() != nullptr && target_.ordered()->refers(static_cast<int>(m));
    if (held) RETURN_IF_ERROR(MakeHeldTable(target_.session(), plan_, m));
    writes.push_back(held ? IntoHeld(plan_, m) : plan_.mappings[m].write);
  }
  if (writes.size() == 1) {
    const std::vector<std::string> columns = DirectColumns(*source, writes[0], relation);
    if (!columns.empty()) {
      route.direct = absl::StrCat("COPY ", writes[0].target, " (", mapping::JoinQuoted(columns),
                                  ") FROM STDIN");
    }
  }
  if (route.direct.empty()) {
    route.load_table = absl::StrCat("sy_load_", id);
    std::vector<std::string> columns;
    for (const event::v1::Column& column : relation.columns()) {
      const auto used =
          std::ranges::find(source->columns, column.name(), &mapping::StageColumn::name);
      columns.push_back(QuoteIdentifier(column.name()) + " " +
                        (used == source->columns.end() ? "text" : used->type));
    }
    RETURN_IF_ERROR(target_.session().Execute(absl::StrCat(
        "DROP TABLE IF EXISTS pg_temp.", route.load_table, "; CREATE TEMP TABLE ", route.load_table,
        " (", absl::StrJoin(columns, ", "), ") ON COMMIT DELETE ROWS")));
    route.load_copy = absl::StrCat("COPY pg_temp.", route.load_table, " FROM STDIN");
    for (const TableWrite& write : writes) {
      route.load_inserts.push_back(mapping::BuildLoad(write, "pg_temp." + route.load_table));
    }
  }
  routes_[id] = std::move(route);
  return absl::OkStatus();
}

absl::Status CopyLoader::Discard(uint32_t id) {
  // Rows of one leaf can't be told from another's: capture starts all leaves of a table again.
  const SourcePlan& source = *SourceOf(id);
  const int index = static_cast<int>(&source - plan_.sources.data());
  std::vector<uint32_t> leaves;
  for (auto& [leaf, progress] : progress_) {
    if (SourceOf(leaf) != &source) continue;
    progress.rows = 0;
    leaves.push_back(leaf);
  }
  LogWarn("replayer", "copy of a table starts again",
          {{"stream", options_.stream}, {"table", source.name}});
  for (const uint32_t leaf : leaves) {
    if (waiting_.erase(leaf) == 0) continue;
    RETURN_IF_ERROR(target_.session().Execute("TRUNCATE pg_temp." + routes_[leaf].load_table));
  }
  if (source.mirrored) RETURN_IF_ERROR(target_.session().Execute(source.mirror.clear));
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    if (plan_.mappings[m].source != index) continue;
    RETURN_IF_ERROR(target_.session().Execute(plan_.mappings[m].write.clear));
    RETURN_IF_ERROR(ClearHeld(target_.session(), m));
  }
  return absl::OkStatus();
}

absl::Status CopyLoader::OnChunk(const event::v1::CopyChunk& chunk) {
  const uint32_t id = chunk.relation_id();
  const auto table = progress_.find(id);
  if (SourceOf(id) == nullptr || table == progress_.end() ||
      chunk.generation() < table->second.generation) {
    return absl::OkStatus();  // not mapped, or of a copy that was started again
  }
  if (!routes_.contains(id)) {
    ASSIGN_OR_RETURN(const auto relations, target_.LoadRelations());
    for (const event::v1::Relation& relation : relations) {
      if (relation.relation_id() == id) RETURN_IF_ERROR(OpenRoute(id, relation));
    }
    if (!routes_.contains(id)) {
      return absl::DataLossError(
          absl::StrFormat("a copy chunk of relation %d without its point", id));
    }
  }
  const Route& route = routes_[id];
  pg::Session& session = target_.session();
  RETURN_IF_ERROR(session.BeginCopyIn(route.direct.empty() ? route.load_copy : route.direct));
  RETURN_IF_ERROR(session.PutCopyData(chunk.data()));
  absl::StatusOr<int64_t> rows = session.EndCopyIn();
  RETURN_IF_ERROR(Annotate(rows.status(), "copy of " + plan_.sources[route.source].name));
  table->second.rows += *rows;
  table->second.bytes += static_cast<int64_t>(chunk.data().size());
  transaction_bytes_ += static_cast<int64_t>(chunk.data().size());
  changed_.insert(id);
  if (route.direct.empty()) waiting_.insert(id);
  return absl::OkStatus();
}

absl::Status CopyLoader::InsertLoaded() {
  for (const uint32_t id : waiting_) {
    for (const std::string& sql : routes_[id].load_inserts) {
      RETURN_IF_ERROR(
          Annotate(target_.writer().Run(sql), "copy of " + plan_.sources[routes_[id].source].name));
    }
  }
  waiting_.clear();
  return absl::OkStatus();
}

absl::Status CopyLoader::OnEnd(const event::v1::CopyEnd& end) {
  const auto table = progress_.find(end.relation_id());
  if (SourceOf(end.relation_id()) == nullptr || table == progress_.end() ||
      end.generation() < table->second.generation) {
    return absl::OkStatus();
  }
  if (table->second.rows != static_cast<int64_t>(end.rows())) {
    return absl::DataLossError(absl::StrFormat(
        "the copy of %s has %d rows on the log, %d were read from the source. Copy everything "
        "again: switchyard recopy "
        "FILE --all",
        SourceOf(end.relation_id())->name, table->second.rows, end.rows()));
  }
  table->second.done = true;
  changed_.insert(end.relation_id());
  return absl::OkStatus();
}

absl::Status CopyLoader::SaveProgress(uint32_t id) {
  const TableProgress& table = progress_[id];
  return target_.session()
      .QueryPrepared(
          "UPDATE switchyard.copy SET rows = $3::bigint, bytes = $4::bigint, done = $5::boolean, "
          "finished_at = CASE WHEN $5::boolean THEN clock_timestamp() END "
          "WHERE stream = $1 AND relation_id = $2::oid",
          {options_.stream, std::to_string(id), std::to_string(table.rows),
           std::to_string(table.bytes), table.done ? "t" : "f"})
      .status();
}

// In the caller's transaction: what waited for other tables, and what is computed from the copy.
absl::Status CopyLoader::Derive() {
  pg::Session& session = target_.session();
  RETURN_IF_ERROR(target_.BeginWrites(/*careful=*/false));
  for (const int m : target_.order()) {
    const mapping::MappingPlan& mapping = plan_.mappings[m];
    if (mapping.row_local) {
      RETURN_IF_ERROR(MoveHeld(session, plan_, static_cast<size_t>(m)));
      RETURN_IF_ERROR(session.Execute("ANALYZE " + mapping.target));
      continue;
    }
    LogInfo("replayer", "deriving a table", {{"table", mapping.display}});
    RETURN_IF_ERROR(Annotate(session.Execute(mapping.keyed.populate), mapping.display));
    RETURN_IF_ERROR(session.Execute("ANALYZE " + mapping.target));
    SY_FAULT_POINT("replayer.deriving");
  }
  return target_.FinishWrites();
}

absl::Status CopyLoader::Finish() {
  RETURN_IF_ERROR(Commit());
  pg::Session& session = target_.session();
  RETURN_IF_ERROR(mapping::BuildMirrorIndexes(session, plan_));
  Lsn first;
  Lsn last;
  for (const auto& [id, table] : progress_) {
    if (SourceOf(id) == nullptr) continue;
    if (!first.valid() || table.lsn < first) first = table.lsn;
    last = std::max(last, table.lsn);
  }
  // One transaction: after a crash the derived tables are still empty, and it is done again.
  RETURN_IF_ERROR(session.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(
        session.Execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; "
                        "SET LOCAL random_page_cost = 4; SET LOCAL work_mem = '256MB'"));
    for (const mapping::IdAllotment& ids : plan_.ids) {
      RETURN_IF_ERROR(Annotate(session.Execute(ids.all), "ids of kind " + ids.kind));
    }
    RETURN_IF_ERROR(Annotate(Derive(), FirstAndLast(first, last)));
    for (const auto& [name, sql] : options_.after_copy) {
      LogInfo("replayer", "schema step after the copy", {{"step", name}});
      RETURN_IF_ERROR(Annotate(session.Execute(sql), "after_copy " + name));
    }
    // Position p: every commit <= p is applied. A copy at L holds the commits below L.
    return session
        .Query(
            "UPDATE switchyard.stream SET state = CASE WHEN $2::pg_lsn < $3::pg_lsn THEN "
            "'catching_up' "
            "ELSE 'streaming' END, lsn = $2::pg_lsn - 1, covered_lsn = $2::pg_lsn, "
            "copy_lsn = $3::pg_lsn, updated_at = clock_timestamp() WHERE name = $1",
            {options_.stream, first.ToString(), last.ToString()})
        .status();
  }));
  // Every temporary table a session has costs each of its commits a truncation.
  for (const auto& [id, route] : routes_) {
    if (route.load_table.empty()) continue;
    RETURN_IF_ERROR(session.Execute("DROP TABLE pg_temp." + route.load_table));
  }
  LogInfo("replayer", "copy finished", {{"stream", options_.stream}, {"lsn", first.ToString()}});
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
