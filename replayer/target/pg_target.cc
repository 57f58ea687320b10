#include "replayer/target/pg_target.h"

#include <algorithm>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/records/missed_rows.h"
#include "common/records/relations.h"
#include "replayer/target/breach.h"
#include "replayer/target/doubt.h"
#include "replayer/target/new_columns.h"
#include "replayer/target/pairs.h"
#include "replayer/target/write_path.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;

namespace {

constexpr char kCheckAtOnce[] = "SET CONSTRAINTS ALL IMMEDIATE";

// Tables or columns are not what a statement wants.
bool IsOfShape(const absl::Status& status) {
  const std::string state = pg::StatusSqlState(status);
  return state.starts_with("42") || state == "0A000";
}

Breadth BreadthOf(const changes::TableChanges& table) {
  return table.truncated ? Breadth::kAll : Breadth::kChanged;
}

}  // namespace

PgTarget::PgTarget(PgTargetOptions options, const mapping::Plan& plan, const Cancel& cancel)
    : options_(std::move(options)), plan_(plan), cancel_(cancel) {}

PgTarget::~PgTarget() { Close(); }

void PgTarget::Close() {
  if (before_images_ != nullptr) before_images_->set_quarantine(nullptr);
  quarantine_.reset();
  ordered_.reset();
  touched_.reset();
  writer_.reset();
  before_images_.reset();
  stage_.reset();
  gate_.reset();
  stream_.reset();
  session_.reset();
  position_.reset();
  in_transaction_ = false;
  EndRollForward();
}

absl::Status PgTarget::Open() {
  Close();
  ASSIGN_OR_RETURN(session_, OpenExclusively(options_, cancel_, &silent_));
  ASSIGN_OR_RETURN(write_path_, WritePath(*session_, plan_, silent_));
  stream_ = std::make_unique<records::StreamStore>(*session_, options_.stream);
  gate_ = std::make_unique<records::Gate>(*session_, options_.stream);
  RETURN_IF_ERROR(gate_->Claim({records::kApplies, records::kCopies, records::kRecopies,
                                records::kRetries, records::kResumes}));
  RETURN_IF_ERROR(session_->Execute(absl::StrCat("LISTEN ", records::kNotifyChannel)));
  stage_ = std::make_unique<Stage>(*session_, plan_);
  before_images_ = std::make_unique<PgBeforeImages>(options_, *stage_, cancel_);
  writer_ = std::make_unique<TableWriter>(*stage_, ordered_);
  writer_->set_before_images(before_images_.get());
  RETURN_IF_ERROR(CheckShape());
  RETURN_IF_ERROR(stage_->LookForHindrances());
  for (const mapping::Hindrance& one : stage_->hindrances().beside()) {
    LogWarn("replayer", mapping::MayWriteBeside(one), {{"stream", options_.stream}});
  }
  // Where foreign keys hold, rows of any table may have to go before those of another.
  if (!silent_) RETURN_IF_ERROR(stage_->MakeAllTables());
  touched_ = std::make_unique<TouchedScopes>(*writer_);
  RETURN_IF_ERROR(LoadOrder());
  quarantine_ = std::make_unique<Quarantine>(*writer_, quarantine_options());
  before_images_->set_quarantine(quarantine_.get());
  RETURN_IF_ERROR(ReloadPosition());
  // Their transaction is through, by an answer that was lost or by another replayer.
  if (position_->lsn != barred_at_) barred_.clear();
  // Whatever the one before had not tried yet.
  NoteRelatedRows(EveryMapping());
  return absl::OkStatus();
}

absl::Status PgTarget::CheckShape() {
  ASSIGN_OR_RETURN(mapping::TargetShape now, mapping::TargetShape::Load(*session_, plan_));
  if (shape_) return shape_->RefuseOther(now);
  shape_ = std::move(now);
  return absl::OkStatus();
}

// What a statement looked for may have gone; or code of NEW's own that came since looks for it
// where the path that it was made for is not set yet.
absl::Status PgTarget::CheckNamesOf(const absl::Status& failed) {
  RETURN_IF_ERROR(CheckShape());
  ASSIGN_OR_RETURN(const std::string path, WritePath(*session_, plan_, silent_));
  if (path == write_path_) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("code of NEW's own runs where rows are written, and did ",
                                         "not before (", Sv(StdSv(failed.message())), ")"));
}

QuarantineOptions PgTarget::quarantine_options() const {
  return {.stream = options_.stream,
          .entries_max = options_.quarantine_max,
          .scopes_per_recompute = options_.scopes_per_recompute,
          .sensitive = options_.sensitive};
}

absl::StatusOr<std::unique_ptr<pg::Session>> PgTarget::OpenBeside() const {
  bool silent = false;
  ASSIGN_OR_RETURN(auto session, OpenTarget(options_, cancel_, &silent));
  ASSIGN_OR_RETURN(const std::string path, WritePath(*session, plan_, silent));
  if (!path.empty()) RETURN_IF_ERROR(session->Execute("SET search_path = " + path));
  return session;
}

absl::Status PgTarget::LoadOrder() {
  order_.clear();
  for (const MappingIndex mapping : plan_.mapping_indices()) order_.push_back(mapping);
  if (silent_) return absl::OkStatus();
  ASSIGN_OR_RETURN(ordered_, OrderedWriter::Make(*stage_, barred_));
  order_ = ordered_->order();
  return absl::OkStatus();
}

absl::Status PgTarget::BeginWrites(Care care) {
  // Until the transaction ends, which is when triggers that were put off fire.
  if (!write_path_.empty()) {
    RETURN_IF_ERROR(session_->Execute("SET LOCAL search_path = " + write_path_));
  }
  // Of a row that was refused, or waits, the same scope may be computed again in the transaction.
  before_images_->set_notes(care == Care::kCareful || !quarantine_->empty());
  if (ordered_ != nullptr) return ordered_->Begin(care);
  return care == Care::kCareful ? session_->Execute(kCheckAtOnce) : absl::OkStatus();
}

absl::Status PgTarget::RemoveEarly(const changes::Batch& batch, Care care) {
  if (ordered_ == nullptr) return absl::OkStatus();
  for (const MappingIndex mapping : mapping::Backwards(order_)) {
    if (ordered_->late_refusals().bars(mapping) || held_.contains(mapping)) continue;
    const bool row_local = plan_.mappings[mapping].row_local;
    // Chunks, and more scopes than one recompute takes, do without.
    if (!row_local && (in_transaction_ || batch.rows > options_.scopes_per_recompute ||
                       !touched_->contains(mapping) || !ordered_->RemovesScopesEarly(mapping))) {
      continue;
    }
    const auto remove = [&]() -> absl::Status {
      if (row_local) {
        const bool counted = care == Care::kNone && !quarantine_->active(mapping);
        return ordered_->RemoveStagedEarly(mapping, batch,
                                           counted ? Missing::kCounted : Missing::kExpected);
      }
      RETURN_IF_ERROR(touched_->ByBatchOf(batch, mapping, Moment::kAfter));
      return ordered_->RemoveScopesEarly(mapping);
    };
    if (care == Care::kNone) {
      RETURN_IF_ERROR(remove());
      continue;
    }
    // Whoever is refused here is met again where it is written.
    const absl::Status removed = quarantine_->InSavepoint(remove);
    if (!removed.ok() && !IsRefusedRow(removed)) return removed;
  }
  return absl::OkStatus();
}

absl::Status PgTarget::NoteMissing(const changes::Batch& batch, Care care) {
  for (const MappingIndex mapping : order_) {
    if (care == Care::kNone && !quarantine_->active(mapping)) continue;
    for (const changes::TableChanges& table : batch.tables) {
      if (table.source != plan_.mappings[mapping].source || held_.contains(mapping)) continue;
      RETURN_IF_ERROR(quarantine_->NoteMissing(mapping));
    }
  }
  return absl::OkStatus();
}

absl::Status PgTarget::FinishWrites() {
  return ordered_ == nullptr ? absl::OkStatus() : ordered_->Finish();
}

absl::Status PgTarget::ReloadPosition() {
  ASSIGN_OR_RETURN(const records::StreamState state, stream_->Load());
  position_ = state.position;
  source_owns_ = state.source_owns;
  return quarantine_->Load();
}

absl::Status PgTarget::Apply(const changes::Batch& batch, Care care) {
  if (batch.aborted) {
    session_->Rollback();
    in_transaction_ = false;
    touched_->Clear();
    return quarantine_->Load();
  }
  const bool whole = !batch.chunk && !in_transaction_;
  while (true) {
    const absl::Status status = ApplyOnce(batch, care);
    if (status.ok() || care == Care::kNone) return status;
    ASSIGN_OR_RETURN(const bool again, SettleLateRefusals(status));
    if (!again) return status;
    // Chunks that went before are gone with the transaction: those are read again.
    if (!whole) return absl::AbortedError("reading a large transaction again, without such rows");
  }
}

// Whether the same can be tried once more, without rows that it brought out.
absl::StatusOr<bool> PgTarget::SettleLateRefusals(const absl::Status& status) {
  if (ordered_ == nullptr || !IsRefusedRow(status) || !session_->alive()) return false;
  barred_at_ = position_->lsn;
  return ordered_->late_refusals().AddNewlyFound();
}

absl::Status PgTarget::ApplyOnce(const changes::Batch& batch, Care care) {
  const absl::Status status = batch.only_progress() && !in_transaction_ ? NoteProgress(batch)
                              : batch.author == changes::Author::kApplication
                                  ? ApplyInTransaction(batch, care)
                                  : ApplyToMirror(batch);
  if (status.ok()) {
    if (!in_transaction_) barred_.clear();
    return status;
  }
  in_transaction_ = false;
  before_images_->Release();
  touched_->Clear();
  writer_->ForgetAhead();
  if (session_->alive()) {
    session_->Rollback();
    if (IsOfShape(status)) RETURN_IF_ERROR(CheckNamesOf(status));
    if (session_->alive()) RETURN_IF_ERROR(quarantine_->Load());
  }
  return status;
}

// Those of tables that changed, and of what may be tried again after them.
absl::Status PgTarget::MakeTables(const changes::Batch& batch) {
  if (ordered_ != nullptr) return absl::OkStatus();
  const Stage::Place place = in_transaction_ ? Stage::Place::kWithin : Stage::Place::kOutside;
  if (!in_transaction_) RETURN_IF_ERROR(stage_->KeepFewTables(options_.temporary_tables_kept));
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->MakeTablesOf(table.source, place));
  }
  if (quarantine_->empty()) return absl::OkStatus();
  for (const MappingIndex mapping : order_) {
    if (quarantine_->active(mapping)) RETURN_IF_ERROR(stage_->MakeTablesOf(mapping, place));
  }
  return absl::OkStatus();
}

// For work that may concern any table.
absl::Status PgTarget::MakeAllTables() {
  return in_transaction_ ? absl::OkStatus() : stage_->MakeAllTables();
}

// The mirror, the ids and the mappings take the batch.
absl::Status PgTarget::WriteChanges(const changes::Batch& batch, Care care) {
  const bool careful = care == Care::kCareful;
  RETURN_IF_ERROR(StageAll(batch, care));
  RETURN_IF_ERROR(touched_->ByBatch(batch, Moment::kBefore));
  for (const changes::TableChanges& table : batch.tables) {
    const mapping::SourcePlan& source = plan_.sources[table.source];
    RETURN_IF_ERROR(writer_->AllotPassed(table));
    if (source.mirrored) RETURN_IF_ERROR(writer_->WriteMirror(table, source.mirror));
  }
  RETURN_IF_ERROR(TakePairsOf(batch));
  RETURN_IF_ERROR(WriteHeld(batch));
  for (const mapping::IdAllotment& ids : plan_.ids) {
    const bool changed = !rolls_forward_ && std::ranges::count(batch.tables, ids.source,
                                                               &changes::TableChanges::source) > 0;
    if (changed) RETURN_IF_ERROR(writer_->Allot(ids, ids.changed));
  }
  SY_FAULT_POINT("replayer.after_mirror");
  // Rows as they are now: of a chunk here, while its stage lasts; else before each recompute, when
  // the tables that the rules read from other mappings are up to date too.
  if (batch.chunk) RETURN_IF_ERROR(touched_->ByBatch(batch, Moment::kAfter));
  RETURN_IF_ERROR(NoteMissing(batch, care));
  RETURN_IF_ERROR(RemoveEarly(batch, care));
  RETURN_IF_ERROR(careful ? MakeRoomCarefully(batch) : MakeRoom(batch));
  for (const MappingIndex mapping : order_) {
    if (plan_.mappings[mapping].row_local) {
      RETURN_IF_ERROR(WriteRowLocal(batch, mapping, care));
    } else if (!batch.chunk && touched_->contains(mapping)) {
      RETURN_IF_ERROR(RecomputeMapping(batch, mapping, care));
    }
  }
  return absl::OkStatus();
}

absl::Status PgTarget::ApplyInTransaction(const changes::Batch& batch, Care care) {
  const bool careful = care == Care::kCareful;
  const bool continues = in_transaction_;
  RETURN_IF_ERROR(MakeTables(batch));
  RETURN_IF_ERROR(BeginChecked(records::kApplies, batch));
  // A row is to be refused where it is written, not at the end of the transaction.
  if (!continues) RETURN_IF_ERROR(BeginWrites(care));
  quarantine_->set_stores(careful || ordered_ == nullptr || batch.transactions < 2);
  SY_FAULT_POINT("replayer.after_begin");
  RETURN_IF_ERROR(WriteChanges(batch, care));
  RETURN_IF_ERROR(StoreSeen(batch));
  if (batch.chunk || continues) RETURN_IF_ERROR(ClearStages(batch));
  if (batch.chunk) {
    if (ordered_ != nullptr) ordered_->EndChunk();
    return absl::OkStatus();
  }
  // Of a large transaction the chunks before are not known any more.
  const std::set<MappingIndex> written = continues ? EveryMapping() : WrittenBy(batch);
  if (continues) {
    // What one chunk could not place, a later one may have made room for; also for what waits since
    // before.
    if (careful || !quarantine_->empty()) {
      quarantine_->set_stores(true);
      RETURN_IF_ERROR(RetryInOrder(careful ? 0 : Quarantine::kClashes, batch.lsn).status());
    }
    RETURN_IF_ERROR(stream_->Move(*position_, batch.Step()));
  } else {
    RETURN_IF_ERROR(RetryClashes(batch));
  }
  RETURN_IF_ERROR(quarantine_->CheckBound());
  RETURN_IF_ERROR(FinishWrites());
  RETURN_IF_ERROR(StoreMissed(batch));
  RETURN_IF_ERROR(CheckUnhindered(written));
  RETURN_IF_ERROR(stage_->EmptyUsed());
  RETURN_IF_ERROR(CommitAt(batch));
  NoteRelatedRows(written);
  return absl::OkStatus();
}

// What is not the application's: mirror and map of ids stay true, and nothing is computed from
// them.
absl::Status PgTarget::ApplyToMirror(const changes::Batch& batch) {
  const bool continues = in_transaction_;
  RETURN_IF_ERROR(MakeTables(batch));
  RETURN_IF_ERROR(BeginChecked(records::kApplies, batch));
  SY_FAULT_POINT("replayer.after_begin");
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->Load(table, Inserts::kStaged));
  }
  RETURN_IF_ERROR(stage_->PlanForManyRows());
  if (batch.author == changes::Author::kBreach) {
    RETURN_IF_ERROR(
        StoreBreaches(*session_, plan_, options_.stream, batch, options_.quarantine_max));
  }
  for (const changes::TableChanges& table : batch.tables) {
    const mapping::SourcePlan& source = plan_.sources[table.source];
    if (source.mirrored) RETURN_IF_ERROR(writer_->WriteMirror(table, source.mirror));
  }
  // What the other direction allotted; of a breach nobody takes an id.
  if (batch.author == changes::Author::kOurs) RETURN_IF_ERROR(TakePairsOf(batch));
  SY_FAULT_POINT("replayer.after_mirror");
  RETURN_IF_ERROR(StoreSeen(batch));
  if (batch.chunk || continues) RETURN_IF_ERROR(ClearStages(batch));
  if (batch.chunk) return absl::OkStatus();
  if (continues) RETURN_IF_ERROR(stream_->Move(*position_, batch.Step()));
  RETURN_IF_ERROR(StoreMissed(batch));
  RETURN_IF_ERROR(stage_->EmptyUsed());
  return CommitAt(batch);
}

// Without the mark, which would be the other stream's to read: where nothing is written that the
// gate keeps, it is not passed.
absl::Status PgTarget::NoteProgress(const changes::Batch& batch) {
  stream_->ForgetRefusal();
  ASSIGN_OR_RETURN(const std::vector<pg::Result> moved,
                   session_->BeginWith({stream_->MoveStatement(*position_, batch.Step())}));
  RETURN_IF_ERROR(stream_->CheckAt(*position_, moved[0].affected()));
  RETURN_IF_ERROR(StoreSeen(batch));
  return CommitAt(batch);
}

// Tables as the log described them, and what of them is in doubt.
absl::Status PgTarget::StoreSeen(const changes::Batch& batch) {
  for (const auto& [id, definition] : batch.relations) {
    RETURN_IF_ERROR(CheckNewColumns(*session_, plan_, definition));
    RETURN_IF_ERROR(records::Relations(*session_, options_.stream).Store(id, definition));
  }
  return StoreDoubts(*session_, plan_, options_.stream, batch);
}

absl::Status PgTarget::ClearStages(const changes::Batch& batch) {
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->ClearStage(table.source));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::CommitAt(const changes::Batch& batch) {
  SY_FAULT_POINT("replayer.before_commit");
  RETURN_IF_ERROR(session_->Commit());
  SY_FAULT_POINT("replayer.after_commit");
  before_images_->Release();
  in_transaction_ = false;
  touched_->Clear();
  position_ = records::Position{.epoch = batch.epoch,
                                .lsn = batch.lsn,
                                .covered_lsn = batch.covered_lsn,
                                .next_offset = batch.next_offset};
  source_owns_ = batch.source_owns;
  return quarantine_->Committed();
}

absl::Status PgTarget::BeginChecked(const char* writer, const changes::Batch& batch) {
  if (in_transaction_) return absl::OkStatus();
  touched_->Clear();
  stage_->TakeMissed();  // of a transaction that was rolled back
  stream_->ForgetRefusal();
  // Where the transaction of a chunk will end is not known yet: the row is moved at the end.
  ASSIGN_OR_RETURN(
      const pg::Result there,
      gate_->Begin(writer, batch.chunk ? stream_->LockStatement(*position_)
                                       : stream_->MoveStatement(*position_, batch.Step())));
  in_transaction_ = batch.chunk;
  return stream_->CheckAt(*position_, there.affected());
}

absl::Status PgTarget::TakePairsOf(const changes::Batch& batch) {
  const bool came =
      plan_.pairs.source.valid() && !rolls_forward_ &&
      std::ranges::count(batch.tables, plan_.pairs.source, &changes::TableChanges::source) > 0;
  return came ? TakePairs(*stage_, options_.stream, Breadth::kChanged, batch.lsn)
              : absl::OkStatus();
}

absl::Status PgTarget::StoreMissed(const changes::Batch& batch) {
  for (const MissedRows& missed : stage_->TakeMissed()) {
    const mapping::SourcePlan& source = plan_.sources[missed.source];
    const std::string name = source.schema + "." + source.name;
    LogError("replayer", "rows to change were not there",
             {{"stream", options_.stream},
              {"source", name},
              {"table", missed.table},
              {"rows", std::to_string(missed.rows)},
              {"lsn", batch.lsn.ToString()},
              {"next", "find out what else writes to " + missed.table +
                           ", then: switchyard recopy FILE " + name}});
    RETURN_IF_ERROR(
        records::AddMissedRows(*session_, options_.stream,
                               {.source = name,
                                .table = missed.table,
                                .rows = missed.rows,
                                .first_lsn = batch.first_lsn.valid() ? batch.first_lsn : batch.lsn,
                                .last_lsn = batch.lsn}));
  }
  return absl::OkStatus();
}

Inserts PgTarget::InsertsOf(const changes::TableChanges& table, Care care) const {
  if (care == Care::kCareful || !stage_->inserts_go_direct(table.source)) return Inserts::kStaged;
  for (const MappingIndex mapping : plan_.mapping_indices()) {
    if (plan_.mappings[mapping].source != table.source) continue;
    if (quarantine_->active(mapping) || held_.contains(mapping)) return Inserts::kStaged;
    if (stage_->hindrances().any(plan_.mappings[mapping].display)) return Inserts::kStaged;
    if (ordered_ != nullptr && ordered_->MayMeetOld(mapping, table)) return Inserts::kStaged;
  }
  return Inserts::kDirect;
}

absl::Status PgTarget::StageAll(const changes::Batch& batch, Care care) {
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->Load(table, InsertsOf(table, care)));
  }
  return stage_->PlanForManyRows();
}

absl::Status PgTarget::WriteRowLocal(const changes::Batch& batch, MappingIndex mapping, Care care) {
  const MappingPlan& plan = plan_.mappings[mapping];
  for (const changes::TableChanges& table : batch.tables) {
    if (table.source != plan.source || held_.contains(mapping)) continue;
    RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kBefore, BreadthOf(table)));
    if (care == Care::kCareful || quarantine_->active(mapping)) {
      RETURN_IF_ERROR(quarantine_->WriteCarefully(table, mapping, batch.lsn, [&](Moment moment) {
        return touched_->ByUpstream(mapping, moment, Breadth::kChanged);
      }));
    } else {
      RETURN_IF_ERROR(writer_->Write(table, plan.write, InsertsOf(table, care)));
    }
    RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kAfter, Breadth::kChanged));
  }
  return absl::OkStatus();
}

absl::Status PgTarget::WriteHeld(const changes::Batch& batch) {
  for (const auto& [mapping, write] : held_) {
    for (const changes::TableChanges& table : batch.tables) {
      if (table.source != plan_.mappings[mapping].source) continue;
      RETURN_IF_ERROR(writer_->WriteMirror(table, write));
    }
  }
  return absl::OkStatus();
}

absl::Status PgTarget::BeginRollForward(std::map<MappingIndex, mapping::TableWrite> held) {
  for (const auto& [mapping, write] : held) {
    RETURN_IF_ERROR(session_->Execute(write.taken_table_ddl));
  }
  held_ = std::move(held);
  rolls_forward_ = true;
  touched_->Pause(true);
  quarantine_->set_copying(true);
  return absl::OkStatus();
}

void PgTarget::EndRollForward() {
  held_.clear();
  rolls_forward_ = false;
  if (touched_ != nullptr) touched_->Pause(false);
  if (quarantine_ != nullptr) quarantine_->set_copying(false);
}

absl::Status PgTarget::RecomputeMapping(const changes::Batch& batch, MappingIndex mapping,
                                        Care care) {
  RETURN_IF_ERROR(touched_->ByBatchOf(batch, mapping, Moment::kAfter));
  const auto readers = [&](Moment moment) {
    return touched_->ByUpstream(mapping, moment, Breadth::kChanged);
  };
  if (care == Care::kCareful || quarantine_->active(mapping)) {
    return quarantine_->RecomputeCarefully(mapping, batch.lsn, readers);
  }
  // Only a large batch can have touched more scopes than one recompute takes.
  if (in_transaction_ || batch.rows > options_.scopes_per_recompute) {
    ASSIGN_OR_RETURN(const pg::Result count,
                     session_->Query(absl::StrCat(
                         "SELECT count(*) FROM pg_temp.",
                         QuoteIdentifier(plan_.mappings[mapping].keyed.touched_table))));
    if (count.i64(0, 0) > 2 * options_.scopes_per_recompute) {
      return RecomputeInSlices(mapping, batch.lsn, readers);
    }
  }
  return writer_->Recompute(mapping, Manner::kInPlace, readers);
}

absl::Status PgTarget::InSlices(MappingIndex mapping, absl::FunctionRef<absl::Status()> body) {
  const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
  const std::string slice = "pg_temp." + QuoteIdentifier(keyed.slice_table);
  RETURN_IF_ERROR(session_->Execute("DELETE FROM " + slice));
  RETURN_IF_ERROR(stage_->Run(keyed.slice_fill));
  ASSIGN_OR_RETURN(const pg::Result count, session_->Query("SELECT count(*) FROM " + slice));
  const int64_t scopes = options_.scopes_per_recompute;
  for (int64_t from = 0; from < count.i64(0, 0); from += scopes) {
    RETURN_IF_ERROR(stage_->NextSlice(mapping));
    RETURN_IF_ERROR(
        stage_->Run(keyed.slice_take, {std::to_string(from), std::to_string(from + scopes)}));
    RETURN_IF_ERROR(body());
  }
  return absl::OkStatus();
}

absl::Status PgTarget::RecomputeInSlices(MappingIndex mapping, Lsn lsn,
                                         TableWriter::Readers readers) {
  const auto recompute = [&] {
    return InSlices(mapping,
                    [&] { return writer_->Recompute(mapping, Manner::kInPlace, readers); });
  };
  if (plan_.mappings[mapping].keyed.held.empty() || ordered_ != nullptr) return recompute();
  // A row may go to a scope of this slice from one of a later slice, which holds it still.
  const absl::Status status = quarantine_->InSavepoint(recompute);
  if (!IsRefusedRow(status)) return status;
  RETURN_IF_ERROR(session_->Execute(kCheckAtOnce));
  return quarantine_->RecomputeCarefully(mapping, lsn, readers);
}

bool PgTarget::Shared(MappingIndex mapping) const {
  return std::ranges::count(plan_.mappings, plan_.mappings[mapping].display,
                            &MappingPlan::display) > 1;
}

// Where several mappings fill one table, what goes, goes before any of them inserts. Keyed ones
// would be computed twice: a row that goes from one of those to another mapping is refused at
// first, and takes the careful way.
absl::Status PgTarget::MakeRoom(const changes::Batch& batch) {
  if (ordered_ != nullptr) return absl::OkStatus();
  for (const MappingIndex mapping : order_) {
    const MappingPlan& plan = plan_.mappings[mapping];
    if (!plan.row_local || !Shared(mapping) || quarantine_->active(mapping)) continue;
    for (const changes::TableChanges& table : batch.tables) {
      if (table.source != plan.source) continue;
      RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kBefore, BreadthOf(table)));
      RETURN_IF_ERROR(writer_->RemoveAhead(table, plan.write));
    }
  }
  return absl::OkStatus();
}

// Rows by the thousand may pass to another mapping: those would be refused one by one.
absl::Status PgTarget::MakeRoomCarefully(const changes::Batch& batch) {
  if (ordered_ != nullptr) return absl::OkStatus();
  for (const MappingIndex mapping : order_) {
    const MappingPlan& plan = plan_.mappings[mapping];
    if (!Shared(mapping) || quarantine_->active(mapping)) continue;
    const auto reads_source = [&](const changes::TableChanges& table) {
      return table.source == plan.source;
    };
    const bool upstream = std::ranges::any_of(
        plan.keyed.touches, [](const mapping::TouchRule& rule) { return rule.upstream.valid(); });
    absl::Status removed;
    if (plan.row_local && std::ranges::any_of(batch.tables, reads_source)) {
      RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kBefore, Breadth::kChanged));
      removed = quarantine_->InSavepoint([&] { return stage_->Run(plan.write.remove); });
    } else if (!plan.row_local && !batch.chunk && touched_->contains(mapping) && !upstream) {
      RETURN_IF_ERROR(touched_->ByBatchOf(batch, mapping, Moment::kAfter));
      removed = quarantine_->InSavepoint([&] { return RemoveVanished(mapping); });
    }
    // Whoever is refused here is met again where it is written.
    if (!removed.ok() && !IsRefusedRow(removed)) return removed;
  }
  return absl::OkStatus();
}

absl::Status PgTarget::RemoveVanished(MappingIndex mapping) {
  const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
  RETURN_IF_ERROR(InSlices(mapping, [&] {
    return writer_->RemoveVanished(mapping, [&](Moment moment) {
      return touched_->ByUpstream(mapping, moment, Breadth::kChanged);
    });
  }));
  RETURN_IF_ERROR(stage_->CleanRecompute(mapping));
  return stage_->Run(keyed.slice_take, {"0", std::to_string(std::numeric_limits<int64_t>::max())});
}

// What other rows stood in the way of, in tables that this batch has written: some may be gone.
absl::Status PgTarget::RetryClashes(const changes::Batch& batch) {
  std::set<std::string> tables;
  for (const MappingIndex m : plan_.mapping_indices()) {
    const MappingPlan& plan = plan_.mappings[m];
    const bool written =
        touched_->contains(m) ||
        std::ranges::any_of(batch.tables, [&](const changes::TableChanges& table) {
          return table.source == plan.source &&
                 (table.truncated ||
                  table.count(changes::Op::kInsert) < static_cast<int64_t>(table.changes.size()));
        });
    if (written) tables.insert(plan.display);
  }
  const bool any = std::ranges::any_of(order_, [&](MappingIndex mapping) {
    return quarantine_->active(mapping) && tables.contains(plan_.mappings[mapping].display);
  });
  if (!any) return absl::OkStatus();
  quarantine_->set_stores(true);  // they are entries already
  return RetryInOrder(Quarantine::kClashes, batch.lsn).status();
}

std::set<MappingIndex> PgTarget::EveryMapping() const { return {order_.begin(), order_.end()}; }

std::set<MappingIndex> PgTarget::WrittenBy(const changes::Batch& batch) const {
  std::set<MappingIndex> written;
  for (const MappingIndex mapping : order_) {
    const bool staged = std::ranges::count(batch.tables, plan_.mappings[mapping].source,
                                           &changes::TableChanges::source) > 0;
    if (staged || touched_->contains(mapping)) written.insert(mapping);
  }
  return written;
}

absl::Status PgTarget::CheckUnhindered(const std::set<MappingIndex>& written) {
  std::set<std::string> tables;
  for (const MappingIndex mapping : written) tables.insert(plan_.mappings[mapping].display);
  return CheckHindrances(*stage_, tables);
}

void PgTarget::NoteRelatedRows(const std::set<MappingIndex>& written) {
  if (ordered_ == nullptr || quarantine_->empty()) return;
  const bool related = std::ranges::any_of(order_, [&](MappingIndex mapping) {
    return quarantine_->active(mapping) && std::ranges::any_of(written, [&](MappingIndex other) {
             return ordered_->related(mapping, other);
           });
  });
  if (related) quarantine_->WalkThroughWaiting();
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
