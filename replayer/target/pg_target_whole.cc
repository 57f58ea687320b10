// What a PgTarget does apart from batches: tries the quarantine again, fills whole tables, derives
// what a change of the mapping or a re-copy asks for.
#include <algorithm>
#include <limits>
#include <map>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/records/breaches.h"
#include "common/records/stream/progress.h"
#include "replayer/target/breach.h"
#include "replayer/target/pairs.h"
#include "replayer/target/pg_target.h"
#include "replayer/target/whole_fill.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::SourceIndex;

// What an entry brings into a table of NEW feeds the mappings after it that read that table.
absl::StatusOr<Quarantine::RetryResult> PgTarget::RetryInOrder(int64_t id, Lsn lsn) {
  const changes::Batch here{.lsn = lsn};
  Quarantine::RetryResult result;
  for (const MappingIndex mapping : order_) {
    if (touched_->contains(mapping)) RETURN_IF_ERROR(stage_->CleanRecompute(mapping));
  }
  touched_->Clear();
  if (id == Quarantine::kClashes) RETURN_IF_ERROR(quarantine_->NextClashes());
  if (id == 0 || id == Quarantine::kClashes) {
    ASSIGN_OR_RETURN(result.applied, RetryTogether());
  }
  for (const MappingIndex mapping : order_) {
    if (touched_->contains(mapping)) {
      RETURN_IF_ERROR(RecomputeMapping(here, mapping, Care::kCareful));
    }
    ASSIGN_OR_RETURN(const Quarantine::RetryResult part,
                     quarantine_->Retry(id, mapping, [&](Moment moment) {
                       return touched_->ByUpstream(mapping, moment, Breadth::kChanged);
                     }));
    result.applied += part.applied;
    result.left += part.left;
  }
  touched_->Clear();
  return result;
}

// Where foreign keys hold, not what others refer to: rows are taken out and put back.
absl::StatusOr<int64_t> PgTarget::RetryTogether() {
  std::map<std::string, std::vector<MappingIndex>> tables;
  for (const MappingIndex mapping : order_) {
    const bool stays =
        ordered_ != nullptr && (ordered_->late(mapping) || ordered_->acted_on(mapping));
    if (!plan_.mappings[mapping].row_local || !quarantine_->active(mapping) || stays) continue;
    tables[plan_.mappings[mapping].display].push_back(mapping);
  }
  int64_t went = 0;
  for (const auto& [table, mappings] : tables) {
    if (mappings.size() < 2) continue;
    ASSIGN_OR_RETURN(const int64_t some,
                     quarantine_->RetryTogether(mappings, [&](MappingIndex mapping, Moment moment) {
                       return touched_->ByUpstream(mapping, moment, Breadth::kChanged);
                     }));
    went += some;
  }
  return went;
}

// Entries of one mapping may wait for those of another.
absl::Status PgTarget::RetryUntilNoneGoes() {
  while (!quarantine_->empty()) {
    ASSIGN_OR_RETURN(const Quarantine::RetryResult result, RetryInOrder(0, position_->lsn));
    if (result.applied == 0 || result.left == 0) break;
  }
  return absl::OkStatus();
}

absl::Status PgTarget::FillAll(const std::map<MappingIndex, std::string>& held,
                               absl::FunctionRef<absl::Status(MappingIndex mapping)> filled,
                               absl::FunctionRef<absl::Status()> finish) {
  Care care = Care::kNone;
  const auto fill = [&]() -> absl::Status {
    RETURN_IF_ERROR(gate_->Pass(records::kCopies));
    RETURN_IF_ERROR(stream_->LockAt(*position_));
    if (plan_.pairs.source.valid()) {
      RETURN_IF_ERROR(TakePairs(*stage_, options_.stream, Breadth::kAll, position_->lsn));
    }
    if (mirror_only()) return finish();
    RETURN_IF_ERROR(BeginWrites(quarantine_->empty() ? care : Care::kCareful));
    quarantine_->set_stores(true);
    quarantine_->set_copying(true);
    WholeFill whole(*writer_, *quarantine_, *touched_, position_->lsn, care);
    RETURN_IF_ERROR(whole.Ids());
    RETURN_IF_ERROR(RetryUntilNoneGoes());
    records::Step step = {.steps = static_cast<int>(order_.size())};
    for (const MappingIndex mapping : order_) {
      ++step.step;
      step.work = "fills " + plan_.mappings[mapping].display;
      RETURN_IF_ERROR(records::ShowStep(*session_, step));
      // A patched one has its rows already: what changes is changed.
      if (plan_.mappings[mapping].keyed.patch.on) continue;
      if (!plan_.mappings[mapping].row_local) {
        RETURN_IF_ERROR(whole.Derived(mapping));
      } else if (const auto rows = held.find(mapping); rows != held.end()) {
        RETURN_IF_ERROR(whole.RowLocal(mapping, rows->second));
      }
      RETURN_IF_ERROR(filled(mapping));
    }
    RETURN_IF_ERROR(RetryUntilNoneGoes());
    quarantine_->set_copying(false);
    RETURN_IF_ERROR(quarantine_->CheckBound());
    RETURN_IF_ERROR(FinishWrites());
    RETURN_IF_ERROR(CheckUnhindered(EveryMapping()));
    RETURN_IF_ERROR(stage_->EmptyUsed());
    return finish();
  };
  barred_.clear();
  RETURN_IF_ERROR(MakeAllTables());
  absl::Status status;
  for (bool again = true; again;) {
    status = session_->InTransaction(fill);
    touched_->Clear();
    if (session_->alive()) RETURN_IF_ERROR(quarantine_->Load());
    if (status.ok() || !IsRefusedRow(status) || ordered_ == nullptr) break;
    // Found only at the end: which rows it were.
    if (care == Care::kCareful) {
      ASSIGN_OR_RETURN(again, SettleLateRefusals(status));
    }
    care = Care::kCareful;
  }
  barred_.clear();
  return status;
}

absl::StatusOr<Quarantine::RetryResult> PgTarget::RetryQuarantine(int64_t id) {
  Quarantine::RetryResult result;
  const auto retry = [&]() -> absl::Status {
    RETURN_IF_ERROR(gate_->Pass(records::kRetries));
    RETURN_IF_ERROR(stream_->LockAt(*position_));
    stage_->TakeMissed();  // of a transaction that was rolled back
    RETURN_IF_ERROR(BeginWrites(Care::kCareful));
    quarantine_->set_stores(true);
    if (plan_.pairs.source.valid()) {
      RETURN_IF_ERROR(TakePairsAgain(*stage_, options_.stream, position_->lsn));
    }
    ASSIGN_OR_RETURN(result, RetryInOrder(id, position_->lsn));
    RETURN_IF_ERROR(quarantine_->CheckBound());
    RETURN_IF_ERROR(FinishWrites());
    RETURN_IF_ERROR(StoreMissed({.lsn = position_->lsn}));
    RETURN_IF_ERROR(CheckUnhindered(EveryMapping()));
    return stage_->EmptyUsed();
  };
  RETURN_IF_ERROR(quarantine_->Load());  // people may have asked for scopes by entries of their own
  barred_.clear();
  RETURN_IF_ERROR(MakeAllTables());
  absl::Status status;
  bool again = true;
  while (again) {
    status = session_->InTransaction(retry);
    before_images_->Release();
    if (session_->alive()) RETURN_IF_ERROR(quarantine_->Load());
    ASSIGN_OR_RETURN(again, SettleLateRefusals(status));
  }
  barred_.clear();
  RETURN_IF_ERROR(status);
  if (result.applied > 0) NoteRelatedRows(EveryMapping());
  return result;
}

absl::Status PgTarget::TakeOutOfMirror(const records::Breach& breach, const changes::Batch& back) {
  const changes::TableChanges& table = back.tables.front();
  const mapping::SourcePlan& source = plan_.sources[table.source];
  ASSIGN_OR_RETURN(const bool there, MirrorHas(*session_, source, breach));
  if (!there) {
    return Refuse(absl::StrFormat("breach %d: the row of %s was changed again since", breach.id,
                                  breach.source),
                  "write what it should be where the application writes");
  }
  RETURN_IF_ERROR(stage_->Load(table, Inserts::kStaged));
  RETURN_IF_ERROR(writer_->WriteMirror(table, source.mirror));
  return stage_->ClearStage(table.source);
}

absl::Status PgTarget::ApplyBreach(int64_t id) {
  ASSIGN_OR_RETURN(const std::optional<records::Breach> breach,
                   records::FindOpenBreach(*session_, options_.stream, id));
  if (!breach.has_value()) {
    return Refuse(absl::StrFormat("no breach %d is open", id), "see: switchyard breach FILE list");
  }
  ASSIGN_OR_RETURN(const BreachChange made, ChangeOf(plan_, *breach));
  const changes::Batch& change = made.change;
  RETURN_IF_ERROR(MakeAllTables());
  const absl::Status applied = session_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(gate_->Pass(records::kRetries));
    RETURN_IF_ERROR(stream_->LockAt(*position_));
    touched_->Clear();
    stage_->TakeMissed();
    RETURN_IF_ERROR(BeginWrites(Care::kCareful));
    quarantine_->set_stores(true);
    if (made.back.has_value()) RETURN_IF_ERROR(TakeOutOfMirror(*breach, *made.back));
    RETURN_IF_ERROR(WriteChanges(change, Care::kCareful));
    RETURN_IF_ERROR(quarantine_->CheckBound());
    RETURN_IF_ERROR(FinishWrites());
    RETURN_IF_ERROR(StoreMissed({.lsn = position_->lsn}));
    RETURN_IF_ERROR(CheckUnhindered(EveryMapping()));
    RETURN_IF_ERROR(
        records::CloseBreach(*session_, options_.stream, id, records::BreachState::kApplied));
    return stage_->EmptyUsed();
  });
  touched_->Clear();
  if (session_->alive()) RETURN_IF_ERROR(quarantine_->Load());
  return applied;
}

absl::Status PgTarget::RetryWaiting() {
  if (!source_owns_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool some, quarantine_->NextWaiting());
  if (!some) return absl::OkStatus();
  const absl::Status tried = RetryQuarantine(Quarantine::kWaiting).status();
  if (tried.ok() || IsRefusedRow(tried)) quarantine_->WaitingTried();
  return IsRefusedRow(tried) ? absl::OkStatus() : tried;
}

absl::Status PgTarget::Rederive(const char* writer, Care care,
                                absl::FunctionRef<absl::Status()> change) {
  changes::Batch here{.epoch = position_->epoch, .lsn = position_->lsn, .chunk = true};
  here.rows = std::numeric_limits<int64_t>::max();  // may touch any number of scopes
  RETURN_IF_ERROR(MakeAllTables());
  const auto body = [&]() -> absl::Status {
    RETURN_IF_ERROR(BeginChecked(writer, here));
    RETURN_IF_ERROR(BeginWrites(care));
    quarantine_->set_stores(true);
    RETURN_IF_ERROR(change());
    records::Step step = {.steps = static_cast<int>(order_.size())};
    for (const MappingIndex mapping : order_) {
      ++step.step;
      if (!touched_->contains(mapping)) continue;
      step.work = "derives " + plan_.mappings[mapping].display;
      RETURN_IF_ERROR(records::ShowStep(*session_, step));
      RETURN_IF_ERROR(RecomputeMapping(here, mapping, care));
    }
    RETURN_IF_ERROR(quarantine_->CheckBound());
    RETURN_IF_ERROR(FinishWrites());
    RETURN_IF_ERROR(CheckUnhindered(EveryMapping()));
    RETURN_IF_ERROR(stage_->EmptyUsed());
    RETURN_IF_ERROR(session_->Commit());
    RETURN_IF_ERROR(stage_->PlanAnew());
    return quarantine_->Load();  // `change` may take entries away by itself
  };
  const absl::Status status = body();
  before_images_->Release();
  in_transaction_ = false;
  touched_->Clear();
  if (!status.ok() && session_->alive()) session_->Rollback();
  return status;
}

absl::Status PgTarget::ReplaceSources(const std::vector<SourceIndex>& sources,
                                      const std::vector<std::string>& also,
                                      absl::FunctionRef<absl::Status()> swap) {
  const auto touch = [&]() -> absl::Status {
    if (mirror_only()) return absl::OkStatus();
    for (const SourceIndex source : sources) RETURN_IF_ERROR(touched_->WholeOfReaders(source));
    return touched_->WholeOf(also);
  };
  return Rederive(records::kRecopies, Care::kNone, [&]() -> absl::Status {
    RETURN_IF_ERROR(touch());
    RETURN_IF_ERROR(swap());
    if (std::ranges::count(sources, plan_.pairs.source) > 0) {
      RETURN_IF_ERROR(TakePairs(*stage_, options_.stream, Breadth::kAll, position_->lsn));
    }
    for (const mapping::IdAllotment& ids : plan_.ids) {
      if (mirror_only() || std::ranges::count(sources, ids.source) == 0) continue;
      RETURN_IF_ERROR(writer_->Allot(ids, ids.all));
    }
    return touch();
  });
}

absl::Status PgTarget::RecomputeWhole(const std::vector<std::string>& tables) {
  if (mirror_only()) return absl::OkStatus();
  const auto touch = [&] { return touched_->WholeOf(tables); };
  absl::Status status = Rederive(records::kResumes, Care::kNone, touch);
  barred_.clear();
  bool again = IsRefusedRow(status);
  while (again) {
    RETURN_IF_ERROR(quarantine_->Load());
    status = Rederive(records::kResumes, Care::kCareful, touch);
    ASSIGN_OR_RETURN(again, SettleLateRefusals(status));
  }
  barred_.clear();
  return status;
}

}  // namespace switchyard::replayer
