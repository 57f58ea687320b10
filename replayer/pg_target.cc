#include "replayer/pg_target.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "replayer/doubt.h"

namespace switchyard::replayer {

using mapping::MappingPlan;

namespace {

constexpr int kLockWaitMilliseconds = 300;
constexpr char kCheckAtOnce[] = "SET CONSTRAINTS ALL IMMEDIATE";

absl::StatusOr<Lsn> LsnAt(const pg::Result& rows, int column) {
  return rows.is_null(0, column) ? absl::StatusOr<Lsn>(Lsn()) : Lsn::Parse(rows.text(0, column));
}

std::string HexBytes(const std::string& bytes) {
  return absl::StrCat("\\x", absl::BytesToHexString(bytes));
}

}  // namespace

PgTarget::PgTarget(PgTargetOptions options, const mapping::Plan& plan, const Cancel& cancel)
    : options_(std::move(options)), plan_(plan), cancel_(cancel) {}

PgTarget::~PgTarget() { Close(); }

void PgTarget::Close() {
  quarantine_.reset();
  ordered_.reset();
  writer_.reset();
  session_.reset();
  position_.reset();
  in_transaction_ = false;
  touched_.clear();
}

namespace {

absl::StatusOr<std::unique_ptr<pg::Session>> Connect(const PgTargetOptions& options,
                                                     const Cancel& cancel, bool* silent) {
  pg::SessionOptions session_options{.dsn = options.dsn, .application_name = "switchyard replay"};
  session_options.settings = {
      {"synchronous_commit", options.synchronous_commit ? "on" : "off"},
      // What a batch touches is looked up by index, whatever size the planner thinks it has.
      {"enable_hashjoin", "off"},
      {"enable_mergejoin", "off"},
      {"random_page_cost", "1.1"},
      {"jit", "off"},
      {"work_mem", "64MB"},
      {"temp_buffers", "32MB"},
  };
  ASSIGN_OR_RETURN(auto session, pg::Session::Connect(session_options, cancel));
  bool silenced = false;
  if (options.replica_role) {
    ASSIGN_OR_RETURN(silenced, SilenceTriggers(*session));
  }
  if (silent != nullptr) *silent = silenced;
  return session;
}

}  // namespace

absl::StatusOr<std::unique_ptr<pg::Session>> OpenExclusively(const PgTargetOptions& options,
                                                             const Cancel& cancel, bool* silent) {
  ASSIGN_OR_RETURN(auto session, Connect(options, cancel, silent));
  // The server may take a moment to end a session that was closed: this one's own, before a
  // restart.
  RETURN_IF_ERROR(session->Execute(absl::StrCat("SET lock_timeout = ", kLockWaitMilliseconds)));
  const absl::Status locked = session
                                  ->Query("SELECT pg_advisory_lock(hashtextextended($1, 7))",
                                          {"switchyard replay " + options.stream})
                                  .status();
  if (pg::StatusSqlState(locked) == "55P03") {
    return absl::AlreadyExistsError(absl::StrCat("a replayer works on stream ", options.stream));
  }
  RETURN_IF_ERROR(locked);
  RETURN_IF_ERROR(session->Execute("SET lock_timeout = 0"));
  return session;
}

absl::Status PgTarget::Open() {
  Close();
  ASSIGN_OR_RETURN(session_, OpenExclusively(options_, cancel_, &silent_));
  writer_ = std::make_unique<TableWriter>(*session_, plan_);
  RETURN_IF_ERROR(writer_->CreateTemporaryTables());
  RETURN_IF_ERROR(LoadOrder());
  quarantine_ = std::make_unique<Quarantine>(
      *writer_,
      QuarantineOptions{.stream = options_.stream, .entries_max = options_.quarantine_max});
  RETURN_IF_ERROR(quarantine_->Load());
  return ReloadPosition();
}

absl::StatusOr<std::unique_ptr<pg::Session>> PgTarget::OpenBeside() const {
  return Connect(options_, cancel_, nullptr);
}

absl::Status PgTarget::LoadOrder() {
  order_.resize(plan_.mappings.size());
  std::iota(order_.begin(), order_.end(), 0);
  if (silent_) return absl::OkStatus();
  writer_->set_ordered(nullptr);
  ASSIGN_OR_RETURN(ordered_, OrderedWriter::Make(*writer_));
  writer_->set_ordered(ordered_.get());
  order_ = ordered_->order();
  return absl::OkStatus();
}

absl::Status PgTarget::BeginWrites(bool careful) {
  if (ordered_ != nullptr) return ordered_->Begin(careful);
  return careful ? session_->Execute(kCheckAtOnce) : absl::OkStatus();
}

absl::Status PgTarget::RemoveFirst(const Batch& batch, bool careful) {
  if (ordered_ == nullptr) return absl::OkStatus();
  for (const int mapping : mapping::Backwards(order_)) {
    const bool row_local = plan_.mappings[mapping].row_local;
    // Chunks, and more scopes than one recompute takes, do without.
    if (!row_local && (in_transaction_ || batch.rows > options_.scopes_per_recompute ||
                       !touched_.contains(mapping) || !ordered_->RemovesFirst(mapping))) {
      continue;
    }
    const auto remove = [&]() -> absl::Status {
      if (row_local) return ordered_->RemoveFirst(mapping, batch);
      RETURN_IF_ERROR(TouchMapping(batch, mapping, false));
      return ordered_->RemoveFirst(mapping);
    };
    if (!careful) {
      RETURN_IF_ERROR(remove());
      continue;
    }
    // Whoever is refused here is met again where it is written.
    const absl::Status removed = quarantine_->InSavepoint(remove);
    if (!removed.ok() && !IsRefusedRow(removed)) return removed;
  }
  return absl::OkStatus();
}

absl::Status PgTarget::FinishWrites() {
  return ordered_ == nullptr ? absl::OkStatus() : ordered_->Finish();
}

absl::Status PgTarget::ReloadPosition() {
  ASSIGN_OR_RETURN(const StreamState state, LoadState());
  position_ = state.position;
  return absl::OkStatus();
}

absl::StatusOr<StreamState> PgTarget::LoadState() {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_->Query(
          "SELECT state, coalesce(stop_reason, ''), epoch, lsn, covered_lsn, log_offset, "
          "copy_offset, "
          "copy_lsn, hold_lsn, fingerprint, catalog FROM switchyard.stream WHERE name = $1",
          {options_.stream}));
  if (row.rows() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("stream ", options_.stream, " is not installed on the target"));
  }
  StreamState state{.state = row.str(0, 0),
                    .stop_reason = row.str(0, 1),
                    .copy_offset = row.i64(0, 6),
                    .fingerprint = row.str(0, 9),
                    .catalog = row.str(0, 10)};
  state.position.epoch = static_cast<uint64_t>(row.i64(0, 2));
  state.position.next_offset = row.i64(0, 5);
  ASSIGN_OR_RETURN(state.position.lsn, LsnAt(row, 3));
  ASSIGN_OR_RETURN(state.position.covered_lsn, LsnAt(row, 4));
  ASSIGN_OR_RETURN(state.copy_lsn, LsnAt(row, 7));
  if (!row.is_null(0, 8)) {
    ASSIGN_OR_RETURN(state.hold_lsn, LsnAt(row, 8));
  }
  return state;
}

absl::StatusOr<std::vector<event::v1::Relation>> PgTarget::LoadRelations() {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session_->Query("SELECT encode(definition, 'hex') FROM switchyard.relation WHERE stream = $1",
                      {options_.stream}));
  std::vector<event::v1::Relation> relations;
  for (int i = 0; i < rows.rows(); ++i) {
    event::v1::Relation relation;
    if (!relation.ParseFromString(absl::HexStringToBytes(Sv(rows.text(i, 0))))) {
      return absl::DataLossError("switchyard.relation holds a definition that can't be read");
    }
    relations.push_back(std::move(relation));
  }
  return relations;
}

absl::StatusOr<std::map<uint32_t, Lsn>> PgTarget::LoadCopyPoints() {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session_->Query("SELECT relation_id::bigint, lsn FROM switchyard.copy WHERE stream = $1",
                      {options_.stream}));
  std::map<uint32_t, Lsn> points;
  for (int i = 0; i < rows.rows(); ++i) {
    ASSIGN_OR_RETURN(points[static_cast<uint32_t>(rows.i64(i, 0))], Lsn::Parse(rows.text(i, 1)));
  }
  return points;
}

absl::Status PgTarget::SetState(const std::string& state, const std::string& stop_reason) {
  return session_
      ->Query(
          "UPDATE switchyard.stream SET state = $2, stop_reason = nullif($3, ''), "
          "updated_at = clock_timestamp() WHERE name = $1",
          {options_.stream, state, stop_reason})
      .status();
}

absl::Status PgTarget::Apply(const Batch& batch, bool careful) {
  if (batch.aborted) {
    session_->Rollback();
    in_transaction_ = false;
    touched_.clear();
    return quarantine_->Load();
  }
  const absl::Status status = ApplyInTransaction(batch, careful);
  if (status.ok()) return status;
  in_transaction_ = false;
  touched_.clear();
  if (session_->alive()) {
    session_->Rollback();
    if (session_->alive()) RETURN_IF_ERROR(quarantine_->Load());
  }
  return status;
}

// Keys that move one after the other into each other's places can't be updated in one statement,
// whose order nobody knows: those rows are taken out and put back.
absl::Status PgTarget::WriteMirror(const TableChanges& table, const mapping::TableWrite& mirror) {
  if (table.count(Op::kMove) < 2) return writer_->Write(table, mirror, false);
  if (table.truncated) RETURN_IF_ERROR(Annotate(writer_->Run(mirror.clear), mirror.display));
  return writer_->Exchange(mirror);
}

absl::Status PgTarget::ApplyInTransaction(const Batch& batch, bool careful) {
  const bool continues = in_transaction_;
  RETURN_IF_ERROR(BeginChecked(batch));
  // A row is to be refused where it is written, not at the end of the transaction.
  if (!continues) RETURN_IF_ERROR(BeginWrites(careful));
  quarantine_->set_stores(careful || ordered_ == nullptr || batch.transactions < 2);
  SY_FAULT_POINT("replayer.after_begin");
  RETURN_IF_ERROR(StageAll(batch, !careful));
  RETURN_IF_ERROR(TouchSources(batch, true));
  for (const TableChanges& table : batch.tables) {
    const mapping::SourcePlan& source = plan_.sources[table.source];
    if (source.mirrored) RETURN_IF_ERROR(WriteMirror(table, source.mirror));
  }
  for (const mapping::IdAllotment& ids : plan_.ids) {
    const bool changed = std::ranges::count(batch.tables, ids.source, &TableChanges::source) > 0;
    if (changed) RETURN_IF_ERROR(Annotate(writer_->Run(ids.changed), "ids of kind " + ids.kind));
  }
  SY_FAULT_POINT("replayer.after_mirror");
  // Rows as they are now: of a chunk here, while its stage lasts; else before each recompute, when
  // the tables that the rules read from other mappings are up to date too.
  if (batch.chunk) RETURN_IF_ERROR(TouchSources(batch, false));
  RETURN_IF_ERROR(RemoveFirst(batch, careful));
  for (const int mapping : order_) {
    if (plan_.mappings[mapping].row_local) {
      RETURN_IF_ERROR(WriteRowLocal(batch, mapping, careful));
    } else if (!batch.chunk && touched_.contains(mapping)) {
      RETURN_IF_ERROR(RecomputeMapping(batch, mapping, careful));
    }
  }
  RETURN_IF_ERROR(StoreRelations(batch));
  RETURN_IF_ERROR(StoreDoubts(*session_, plan_, options_.stream, batch.in_doubt));
  if (batch.chunk || continues) {
    for (const TableChanges& table : batch.tables) {
      RETURN_IF_ERROR(writer_->ClearStage(table.source));
    }
  }
  if (batch.chunk) {
    if (ordered_ != nullptr) ordered_->EndChunk();
    return absl::OkStatus();
  }
  if (continues) {
    // What one chunk could not place, a later one may have made room for.
    if (careful) RETURN_IF_ERROR(RetryInOrder(0, batch.lsn).status());
    RETURN_IF_ERROR(MovePosition(batch));
  }
  RETURN_IF_ERROR(FinishWrites());
  RETURN_IF_ERROR(writer_->EmptyUsed());
  SY_FAULT_POINT("replayer.before_commit");
  RETURN_IF_ERROR(session_->Commit());
  SY_FAULT_POINT("replayer.after_commit");
  in_transaction_ = false;
  touched_.clear();
  position_ = Position{.epoch = batch.epoch,
                       .lsn = batch.lsn,
                       .covered_lsn = batch.covered_lsn,
                       .next_offset = batch.next_offset};
  return absl::OkStatus();
}

absl::Status PgTarget::BeginChecked(const Batch& batch) {
  if (in_transaction_) return absl::OkStatus();
  touched_.clear();
  RETURN_IF_ERROR(session_->Begin());
  if (!batch.chunk) return MovePosition(batch);
  // Where the transaction will end is not known yet: lock the row, and move it at the end.
  in_transaction_ = true;
  ASSIGN_OR_RETURN(const pg::Result row,
                   session_->QueryPrepared(
                       "SELECT 1 FROM switchyard.stream WHERE name = $1 AND lsn = $2::pg_lsn AND "
                       "epoch = $3::bigint "
                       "AND log_offset = $4::bigint FOR UPDATE",
                       {options_.stream, position_->lsn.ToString(),
                        std::to_string(position_->epoch), std::to_string(position_->next_offset)}));
  return row.rows() == 1 ? absl::OkStatus() : WhyNotMoved();
}

absl::Status PgTarget::MovePosition(const Batch& batch) {
  const auto number = [](auto value) { return std::to_string(value); };
  ASSIGN_OR_RETURN(
      const pg::Result moved,
      session_->QueryPrepared(
          "UPDATE switchyard.stream SET epoch = $5::bigint, lsn = $6::pg_lsn, covered_lsn = "
          "$7::pg_lsn, "
          "log_offset = $8::bigint, transactions = transactions + $9::bigint, rows = rows + "
          "$10::bigint, "
          "commit_time = CASE WHEN $11::bigint = 0 THEN commit_time ELSE "
          "timestamptz 'epoch' + $11::bigint * interval '1 microsecond' END, "
          "updated_at = clock_timestamp() "
          "WHERE name = $1 AND lsn = $2::pg_lsn AND epoch = $3::bigint AND log_offset = $4::bigint "
          "AND (hold_lsn IS NULL OR hold_lsn > $6::pg_lsn)",
          {options_.stream, position_->lsn.ToString(), number(position_->epoch),
           number(position_->next_offset), number(batch.epoch), batch.lsn.ToString(),
           batch.covered_lsn.ToString(), number(batch.next_offset), number(batch.transactions),
           number(batch.rows), number(batch.commit_time_us)}));
  return moved.affected() == 1 ? absl::OkStatus() : WhyNotMoved();
}

absl::Status PgTarget::WhyNotMoved() {
  ASSIGN_OR_RETURN(const StreamState state, LoadState());
  if (state.position.lsn == position_->lsn && state.position.epoch == position_->epoch &&
      state.hold_lsn) {
    return absl::AbortedError(absl::StrCat("held at ", state.hold_lsn->ToString()));
  }
  return absl::AbortedError(absl::StrFormat(
      "stream %s stands at %s (epoch %d), not at %s (epoch %d): another replayer, or the target "
      "lost its last commits in a crash",
      options_.stream, state.position.lsn.ToString(), state.position.epoch,
      position_->lsn.ToString(), position_->epoch));
}

bool PgTarget::Direct(const TableChanges& table, bool careful) const {
  if (careful || !writer_->inserts_go_direct(table.source)) return false;
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    const int mapping = static_cast<int>(m);
    if (plan_.mappings[m].source != table.source) continue;
    if (quarantine_->active(mapping)) return false;
    if (ordered_ != nullptr && ordered_->MayMeetOld(mapping, table)) return false;
  }
  return true;
}

absl::Status PgTarget::StageAll(const Batch& batch, bool direct_allowed) {
  for (const TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(writer_->Stage(table, Direct(table, !direct_allowed)));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::TouchSources(const Batch& batch, bool before) {
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    RETURN_IF_ERROR(TouchMapping(batch, static_cast<int>(m), before));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::TouchMapping(const Batch& batch, int mapping, bool before) {
  for (const mapping::TouchRule& rule : plan_.mappings[mapping].keyed.touches) {
    for (const TableChanges& table : batch.tables) {
      if (rule.source != table.source) continue;
      RETURN_IF_ERROR(Annotate(writer_->Touch(mapping, rule, before, table.truncated),
                               plan_.mappings[mapping].display));
      touched_.insert(mapping);
    }
  }
  return absl::OkStatus();
}

absl::Status PgTarget::TouchReaders(int upstream, bool before, bool everything) {
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    for (const mapping::TouchRule& rule : plan_.mappings[m].keyed.touches) {
      if (rule.upstream != upstream) continue;
      RETURN_IF_ERROR(Annotate(writer_->Touch(static_cast<int>(m), rule, before, everything),
                               plan_.mappings[m].display));
      touched_.insert(static_cast<int>(m));
    }
  }
  return absl::OkStatus();
}

absl::Status PgTarget::WriteRowLocal(const Batch& batch, int mapping, bool careful) {
  const MappingPlan& plan = plan_.mappings[mapping];
  for (const TableChanges& table : batch.tables) {
    if (table.source != plan.source) continue;
    RETURN_IF_ERROR(TouchReaders(mapping, true, table.truncated));
    if (careful || quarantine_->active(mapping)) {
      RETURN_IF_ERROR(quarantine_->WriteCarefully(table, mapping, batch.lsn, [&](bool before) {
        return TouchReaders(mapping, before, false);
      }));
    } else {
      RETURN_IF_ERROR(writer_->Write(table, plan.write, Direct(table, careful)));
    }
    RETURN_IF_ERROR(TouchReaders(mapping, false, false));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::RecomputeMapping(const Batch& batch, int mapping, bool careful) {
  RETURN_IF_ERROR(TouchMapping(batch, mapping, false));
  const auto readers = [&]() -> absl::Status {
    RETURN_IF_ERROR(TouchReaders(mapping, true, false));
    return TouchReaders(mapping, false, false);
  };
  if (careful || quarantine_->active(mapping)) {
    return quarantine_->RecomputeCarefully(mapping, batch.lsn, readers);
  }
  // Only a large batch can have touched more scopes than one recompute takes.
  if (in_transaction_ || batch.rows > options_.scopes_per_recompute) {
    ASSIGN_OR_RETURN(const pg::Result count,
                     session_->Query(absl::StrCat(
                         "SELECT count(*) FROM pg_temp.",
                         QuoteIdentifier(plan_.mappings[mapping].keyed.touched_table))));
    if (count.i64(0, 0) > 2 * options_.scopes_per_recompute) {
      return RecomputeInSlices(mapping, options_.scopes_per_recompute);
    }
  }
  return writer_->Recompute(mapping, false, readers);
}

absl::Status PgTarget::RecomputeInSlices(int mapping, int64_t scopes) {
  const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
  RETURN_IF_ERROR(writer_->Run(keyed.slice_fill));
  ASSIGN_OR_RETURN(const pg::Result count,
                   session_->Query(absl::StrCat("SELECT count(*) FROM pg_temp.",
                                                QuoteIdentifier(keyed.slice_table))));
  for (int64_t from = 0; from < count.i64(0, 0); from += scopes) {
    RETURN_IF_ERROR(writer_->CleanRecompute(mapping));
    RETURN_IF_ERROR(
        writer_->Run(keyed.slice_take, {std::to_string(from), std::to_string(from + scopes)}));
    RETURN_IF_ERROR(writer_->Recompute(mapping, false, [&]() -> absl::Status {
      RETURN_IF_ERROR(TouchReaders(mapping, true, false));
      return TouchReaders(mapping, false, false);
    }));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::StoreRelations(const Batch& batch) {
  for (const auto& [id, definition] : batch.relations) {
    RETURN_IF_ERROR(StoreRelation(id, definition));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::StoreRelation(uint32_t relation_id, const std::string& definition) {
  return session_
      ->Query(
          "INSERT INTO switchyard.relation AS r (stream, relation_id, definition) VALUES ($1, "
          "$2::oid, "
          "$3::bytea) ON CONFLICT (stream, relation_id) DO UPDATE SET definition = "
          "excluded.definition "
          "WHERE r.definition <> excluded.definition",
          {options_.stream, std::to_string(relation_id), HexBytes(definition)})
      .status();
}

// What an entry brings into a table of NEW feeds the mappings after it that read that table.
absl::StatusOr<Quarantine::RetryResult> PgTarget::RetryInOrder(int64_t id, Lsn lsn) {
  const Batch here{.lsn = lsn};
  Quarantine::RetryResult result;
  touched_.clear();
  for (const int mapping : order_) {
    if (touched_.contains(mapping)) {
      RETURN_IF_ERROR(RecomputeMapping(here, mapping, /*careful=*/true));
    }
    ASSIGN_OR_RETURN(const Quarantine::RetryResult part,
                     quarantine_->Retry(id, mapping, [&](bool before) {
                       return TouchReaders(mapping, before, false);
                     }));
    result.applied += part.applied;
    result.left += part.left;
  }
  touched_.clear();
  return result;
}

absl::StatusOr<Quarantine::RetryResult> PgTarget::RetryQuarantine(int64_t id) {
  Quarantine::RetryResult result;
  RETURN_IF_ERROR(session_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(BeginWrites(/*careful=*/true));
    quarantine_->set_stores(true);
    ASSIGN_OR_RETURN(result, RetryInOrder(id, position_->lsn));
    RETURN_IF_ERROR(FinishWrites());
    return writer_->EmptyUsed();
  }));
  RETURN_IF_ERROR(quarantine_->Load());
  return result;
}

absl::Status PgTarget::TouchWhole(int mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  const auto in = [&](const absl::Status& status) { return Annotate(status, plan.display); };
  RETURN_IF_ERROR(in(writer_->TouchOwn(mapping)));
  for (const mapping::TouchRule& rule : plan.keyed.touches) {
    RETURN_IF_ERROR(in(writer_->Touch(mapping, rule, true, true)));
  }
  touched_.insert(mapping);
  return absl::OkStatus();
}

absl::Status PgTarget::TouchReadersOfSource(int source) {
  for (size_t m = 0; m < plan_.mappings.size(); ++m) {
    const bool reads =
        std::ranges::any_of(plan_.mappings[m].keyed.touches, [&](const mapping::TouchRule& rule) {
          return rule.source == source ||
                 (rule.upstream >= 0 && plan_.mappings[rule.upstream].source == source);
        });
    if (reads) RETURN_IF_ERROR(TouchWhole(static_cast<int>(m)));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::Rederive(bool careful, absl::FunctionRef<absl::Status()> change) {
  Batch here{.epoch = position_->epoch, .lsn = position_->lsn, .chunk = true};
  here.rows = std::numeric_limits<int64_t>::max();  // may touch any number of scopes
  const auto body = [&]() -> absl::Status {
    RETURN_IF_ERROR(BeginChecked(here));
    RETURN_IF_ERROR(BeginWrites(careful));
    quarantine_->set_stores(true);
    RETURN_IF_ERROR(change());
    for (const int mapping : order_) {
      if (!touched_.contains(mapping)) continue;
      RETURN_IF_ERROR(RecomputeMapping(here, mapping, careful));
    }
    RETURN_IF_ERROR(FinishWrites());
    RETURN_IF_ERROR(writer_->EmptyUsed());
    return session_->Commit();
  };
  const absl::Status status = body();
  in_transaction_ = false;
  touched_.clear();
  if (!status.ok() && session_->alive()) session_->Rollback();
  return status;
}

absl::Status PgTarget::ReplaceSource(int source, absl::FunctionRef<absl::Status()> swap) {
  return Rederive(/*careful=*/false, [&]() -> absl::Status {
    RETURN_IF_ERROR(TouchReadersOfSource(source));
    RETURN_IF_ERROR(swap());
    for (const mapping::IdAllotment& ids : plan_.ids) {
      if (ids.source != source) continue;
      RETURN_IF_ERROR(Annotate(writer_->Run(ids.all), "ids of kind " + ids.kind));
    }
    return TouchReadersOfSource(source);
  });
}

absl::Status PgTarget::RecomputeWhole(const std::vector<std::string>& tables) {
  const auto touch = [&]() -> absl::Status {
    for (size_t m = 0; m < plan_.mappings.size(); ++m) {
      const MappingPlan& mapping = plan_.mappings[m];
      if (mapping.row_local || std::ranges::count(tables, mapping.display) == 0) continue;
      RETURN_IF_ERROR(TouchWhole(static_cast<int>(m)));
    }
    return absl::OkStatus();
  };
  const absl::Status status = Rederive(/*careful=*/false, touch);
  if (status.ok() || !IsRefusedRow(status)) return status;
  RETURN_IF_ERROR(quarantine_->Load());
  return Rederive(/*careful=*/true, touch);
}

absl::StatusOr<Lsn> PgTarget::TargetWalPosition() {
  ASSIGN_OR_RETURN(const pg::Result row, session_->Query("SELECT pg_current_wal_insert_lsn()"));
  return Lsn::Parse(row.text(0, 0));
}

absl::StatusOr<bool> PgTarget::FlushedUpTo(Lsn target_wal) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_->Query("SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", {target_wal.ToString()}));
  return row.boolean(0, 0);
}

}  // namespace switchyard::replayer
