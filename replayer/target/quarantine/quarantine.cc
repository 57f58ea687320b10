#include "replayer/target/quarantine/quarantine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"
#include "replayer/target/quarantine/entry_json.h"
#include "replayer/target/quarantine/retry_together.h"
#include "replayer/write/ordered_writer.h"
#include "replayer/write/savepoint.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::SourceIndex;
using mapping::SourcePlan;

namespace {

// Of entries_max, while a copy is not whole.
constexpr int64_t kWaitingMax = 100;

std::string Temp(const std::string& table) { return "pg_temp." + QuoteIdentifier(table); }
// Entries that another row stood in the way of, tried again after each batch that may have taken it
// out of it; all of them where some of them are of this very batch.
constexpr int64_t kClashesAtOnce = 100;
// Entries of a mapping that a foreign key refused, tried in one transaction.
constexpr int64_t kWaitingAtOnce = 100;
// Of either kind, once they were tried by pages of so many: they may wait for each other. More than
// that take a person's `quarantine retry`.
constexpr int64_t kTogetherMax = 10'000;
// Rows that pass from one mapping to another may be refused on the way, this many times the bound.
constexpr int64_t kPassingFactor = 10;

// An entry holds less than a row may: 256 MB.
absl::Status AsTooLarge(const absl::Status& stored, const MappingPlan& plan,
                        const absl::Status& refusal) {
  if (pg::StatusSqlState(stored) != "54000") return stored;
  return Refuse(
      absl::StrFormat("%s refuses a row (%s) that is too large to wait in quarantine (%s)",
                      plan.display, RefusalText(refusal), std::string(StdSv(stored.message()))),
      "mend what refuses it in NEW, or the mapping (then: switchyard resume FILE), and start "
      "replay "
      "again");
}

// What an entry keeps of a row in that table.
records::StagedRowSql RowSql(const SourcePlan& source, std::string table) {
  return {.table = std::move(table),
          .old_key = OldKeyJson(source),
          .new_key = NewKeyJson(source),
          .image = ImageJson(source)};
}

}  // namespace

Quarantine::Quarantine(TableWriter& writer, QuarantineOptions options)
    : writer_(writer), stage_(writer.stage()), options_(std::move(options)) {}

pg::ErrorFields Quarantine::FieldsOf(MappingIndex mapping, const absl::Status& refusal) const {
  return options_.sensitive.Shown(stage_.plan().mappings[mapping].display,
                                  pg::StatusErrorFields(refusal));
}

absl::Status Quarantine::Committed() {
  clashed_ = entries_came_ = false;
  return entries_went_ ? Load() : absl::OkStatus();
}

absl::Status Quarantine::Load() {
  active_.clear();
  entries_went_ = entries_came_ = clashed_ = false;
  ASSIGN_OR_RETURN(const std::vector<std::string> targets, entries().Targets());
  for (const std::string& target : targets) {
    for (const MappingIndex m : stage_.plan().mapping_indices()) {
      if (QuarantineTarget(stage_.plan().mappings[m]) == target) {
        active_.insert(m);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Quarantine::InSavepoint(absl::FunctionRef<absl::Status()> body) {
  return replayer::InSavepoint(stage_.session(), "sy_careful", body);
}

absl::Status Quarantine::TryAndUndo(absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(stage_.session().Execute("SAVEPOINT sy_undone"));
  absl::Status status = body();
  if (!stage_.session().alive()) return status;
  RETURN_IF_ERROR(
      stage_.session().Execute("ROLLBACK TO SAVEPOINT sy_undone; RELEASE SAVEPOINT sy_undone"));
  return status;
}

absl::Status Quarantine::SaveStage(SourceIndex source, const std::string& saved) {
  const std::string stage = Temp(stage_.plan().sources[source].stage);
  return stage_.session().Execute(
      absl::StrCat("CREATE TEMP TABLE IF NOT EXISTS ", QuoteIdentifier(saved), " (LIKE ", stage,
                   ") ON COMMIT DELETE ROWS; TRUNCATE ", Temp(saved), "; INSERT INTO ", Temp(saved),
                   " SELECT * FROM ", stage));
}

absl::Status Quarantine::RestoreStage(SourceIndex source, const std::string& saved,
                                      const std::string& condition) {
  const std::string stage = Temp(stage_.plan().sources[source].stage);
  return stage_.session().Execute(absl::StrCat("DELETE FROM ", stage, "; INSERT INTO ", stage,
                                               " SELECT * FROM ", Temp(saved), " WHERE ",
                                               condition));
}

absl::Status Quarantine::WriteOrTakeOut(const mapping::TableWrite& write) {
  const absl::Status status = InSavepoint([&] { return writer_.WriteStaged(write); });
  if (!IsRefusedRow(status)) return status;
  return InSavepoint([&] { return writer_.WriteByTakingOut(write); });
}

absl::StatusOr<std::vector<Refusal>> Quarantine::WriteRows(SourceIndex source, MappingIndex mapping,
                                                           const std::string& saved,
                                                           const Numbers& rows) {
  const mapping::TableWrite& write = stage_.plan().mappings[mapping].write;
  const std::string stage = Temp(stage_.plan().sources[source].stage);
  const auto write_them = [&](const Numbers& some) -> absl::Status {
    RETURN_IF_ERROR(RestoreStage(source, saved, IsOneOf("sy__ord", some)));
    return WriteOrTakeOut(write);
  };
  // Out of the way: deleted, if they are there at all.
  const auto fits = [&](const Numbers& some, const Numbers& among) {
    return TryAndUndo([&]() -> absl::Status {
      const std::string wanted = IsOneOf("sy__ord", some);
      RETURN_IF_ERROR(RestoreStage(
          source, saved,
          absl::StrCat(IsOneOf("sy__ord", among), " AND (sy__op <> 'I' OR ", wanted, ")")));
      RETURN_IF_ERROR(stage_.session().Execute(
          absl::StrCat("UPDATE ", stage, " SET sy__op = 'D' WHERE NOT ", wanted)));
      return writer_.WriteByTakingOut(write);  // only so can they move together
    });
  };
  return WriteWhatFits(rows, {write_them, fits});
}

absl::StatusOr<Numbers> Quarantine::StagedNumbers(SourceIndex source) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      stage_.session().Query(absl::StrCat(
          "SELECT sy__ord FROM ", Temp(stage_.plan().sources[source].stage), " ORDER BY 1")));
  Numbers numbers;
  for (int i = 0; i < rows.rows(); ++i) numbers.push_back(rows.i64(i, 0));
  return numbers;
}

// Out of the stage: what an earlier attempt found at fault only at its end.
absl::StatusOr<std::vector<Refusal>> Quarantine::TakeBarred(SourceIndex source,
                                                            MappingIndex mapping) {
  std::vector<Refusal> taken;
  if (writer_.ordered() == nullptr) return taken;
  ASSIGN_OR_RETURN(const auto barred, writer_.ordered()->late_refusals().Barred(mapping));
  for (const auto& [number, error] : barred) {
    taken.push_back({number, error});
    RETURN_IF_ERROR(stage_.session().Execute(absl::StrCat(
        "DELETE FROM ", Temp(stage_.plan().sources[source].stage), " WHERE sy__ord = ", number)));
  }
  return taken;
}

absl::Status Quarantine::NoteMissing(MappingIndex mapping) {
  const mapping::TableWrite& write = stage_.plan().mappings[mapping].write;
  ASSIGN_OR_RETURN(const pg::Result rows, stage_.session().QueryPrepared(write.missing_rows));
  std::set<int64_t>& missing = missing_[mapping];
  missing.clear();
  for (int i = 0; i < rows.rows(); ++i) missing.insert(rows.i64(i, 0));
  return absl::OkStatus();
}

// Of `rows`: those that wait in quarantine are not expected in the table.
void Quarantine::CountMissing(SourceIndex source, MappingIndex mapping, const Numbers& rows) {
  const std::set<int64_t> missing = std::exchange(missing_[mapping], {});
  if (missing.empty()) return;
  const int64_t count =
      std::ranges::count_if(rows, [&](int64_t row) { return missing.contains(row); });
  stage_.AddMissing(count, source, stage_.plan().mappings[mapping].write);
}

absl::Status Quarantine::WriteCarefully(const changes::TableChanges& table, MappingIndex mapping,
                                        Lsn lsn, Feed feed) {
  const SourcePlan& source = stage_.plan().sources[table.source];
  if (table.truncated) {
    RETURN_IF_ERROR(writer_.Clear(stage_.plan().mappings[mapping].write));
    RETURN_IF_ERROR(entries().ForgetTarget(TargetOf(mapping)));
  }
  RETURN_IF_ERROR(SaveStage(table.source, source.saved_stage));
  std::vector<int64_t> folded;
  if (active(mapping)) {
    ASSIGN_OR_RETURN(folded, FoldKnown(table.source, mapping, lsn));
  }
  ASSIGN_OR_RETURN(std::vector<Refusal> refusals, TakeBarred(table.source, mapping));
  ASSIGN_OR_RETURN(const Numbers others, StagedNumbers(table.source));
  CountMissing(table.source, mapping, others);
  // Where foreign keys hold, rows that go may be gone already.
  const Missing missing = writer_.ordered() == nullptr ? Missing::kCounted : Missing::kExpected;
  RETURN_IF_ERROR(WriteEntries(folded, table.source, mapping, missing, feed).status());
  ASSIGN_OR_RETURN(const std::vector<Refusal> more,
                   WriteRows(table.source, mapping, source.saved_stage, others));
  refusals.insert(refusals.end(), more.begin(), more.end());
  for (const Refusal& refusal : refusals) {
    RETURN_IF_ERROR(StoreRow(table.source, mapping, lsn, refusal));
  }
  if (!refusals.empty()) RETURN_IF_ERROR(CheckCount(kPassingFactor * options_.entries_max));
  return RestoreStage(table.source, source.saved_stage, "true");
}

absl::Status Quarantine::StoreRow(SourceIndex source, MappingIndex mapping, Lsn lsn,
                                  const Refusal& refusal) {
  if (!stores_) return refusal.error;
  const SourcePlan& plan = stage_.plan().sources[source];
  const pg::ErrorFields fields = FieldsOf(mapping, refusal.error);
  active_.insert(mapping);
  entries_came_ = true;
  clashed_ |= IsClash(refusal.error);
  LogError("replayer", "row put in quarantine",
           {{"stream", options_.stream},
            {"table", stage_.plan().mappings[mapping].display},
            {"sqlstate", fields.sqlstate},
            {"error", RefusalText(refusal.error)},
            {"next", "mend the cause, then: switchyard quarantine FILE retry"}});
  const absl::Status stored = entries().AddRow(
      TargetOf(mapping), RowSql(plan, Temp(plan.saved_stage)), refusal.number, lsn, fields);
  return AsTooLarge(stored, stage_.plan().mappings[mapping], refusal.error);
}

absl::StatusOr<std::vector<int64_t>> Quarantine::FoldKnown(SourceIndex source, MappingIndex mapping,
                                                           Lsn lsn) {
  const SourcePlan& plan = stage_.plan().sources[source];
  const auto folded = entries().Fold(TargetOf(mapping), RowSql(plan, Temp(plan.stage)), lsn);
  RETURN_IF_ERROR(AsTooLarge(folded.status(), stage_.plan().mappings[mapping], folded.status()));
  std::vector<int64_t> ids;
  for (const auto& entry : *folded) {
    if (entry.nothing_left) {
      RETURN_IF_ERROR(entries().Forget(entry.id));
      continue;
    }
    RETURN_IF_ERROR(entries().MoveTo(entry.id, entry.key));
    ids.push_back(entry.id);
  }
  return ids;
}

absl::Status Quarantine::StageEntry(int64_t id, int64_t number, SourceIndex source) {
  const SourcePlan& plan = stage_.plan().sources[source];
  std::vector<std::string> values;
  std::string absent = "''";
  for (size_t i = 0; i < plan.key.size(); ++i) {
    values.push_back(absl::StrCat("(coalesce(before, scope) ->> ",
                                  QuoteLiteral(plan.columns[plan.key[i]].name),
                                  "::text)::", plan.columns[plan.key[i]].type));
  }
  for (const mapping::StageColumn& column : plan.columns) {
    values.push_back(
        absl::StrCat("(image ->> ", QuoteLiteral(column.name), "::text)::", column.type));
    if (column.toastable) {
      absl::StrAppend(&absent, " || CASE WHEN image ? ", QuoteLiteral(column.name),
                      "::text THEN '0' ELSE '1' END");
    }
  }
  return InSavepoint([&] {
    return entries().Stage(
        id, number,
        {.stage = Temp(plan.stage), .absent = absent, .values = absl::StrJoin(values, ", ")});
  });
}

absl::StatusOr<int64_t> Quarantine::WriteEntries(const std::vector<int64_t>& ids,
                                                 SourceIndex source, MappingIndex mapping,
                                                 Missing missing, Feed feed) {
  if (ids.empty()) return 0;
  const std::string& saved = stage_.plan().sources[source].entry_stage;
  stage_.UseStage(source);
  RETURN_IF_ERROR(
      stage_.session().Execute("DELETE FROM " + Temp(stage_.plan().sources[source].stage)));
  std::vector<Refusal> refusals;
  for (size_t i = 0; i < ids.size(); ++i) {
    const absl::Status staged = StageEntry(ids[i], static_cast<int64_t>(i), source);
    if (!staged.ok() && !IsRefusedRow(staged)) return staged;
    if (!staged.ok()) refusals.push_back({static_cast<int64_t>(i), staged});
  }
  ASSIGN_OR_RETURN(const std::vector<Refusal> barred, TakeBarred(source, mapping));
  refusals.insert(refusals.end(), barred.begin(), barred.end());
  ASSIGN_OR_RETURN(const Numbers rows, StagedNumbers(source));
  RETURN_IF_ERROR(SaveStage(source, saved));
  RETURN_IF_ERROR(feed(Moment::kBefore));
  if (missing == Missing::kCounted) RETURN_IF_ERROR(NoteMissing(mapping));
  ASSIGN_OR_RETURN(const std::vector<Refusal> refused, WriteRows(source, mapping, saved, rows));
  Numbers written = rows;
  for (const Refusal& refusal : refused) std::erase(written, refusal.number);
  CountMissing(source, mapping, written);
  refusals.insert(refusals.end(), refused.begin(), refused.end());
  RETURN_IF_ERROR(RestoreStage(source, saved, "true"));
  RETURN_IF_ERROR(feed(Moment::kAfter));
  std::set<int64_t> left;
  for (const Refusal& refusal : refusals) {
    const int64_t id = ids[static_cast<size_t>(refusal.number)];
    left.insert(id);
    RETURN_IF_ERROR(entries().Refuse(id, FieldsOf(mapping, refusal.error)));
  }
  for (const int64_t id : ids) {
    if (!left.contains(id)) RETURN_IF_ERROR(Forget(id));
  }
  return static_cast<int64_t>(left.size());
}

absl::Status Quarantine::Forget(int64_t id) {
  entries_went_ = true;
  return entries().Forget(id);
}

absl::StatusOr<Numbers> Quarantine::StageEntries(const std::vector<int64_t>& ids, int64_t first,
                                                 SourceIndex source) {
  stage_.UseStage(source);
  RETURN_IF_ERROR(stage_.ClearStage(source));
  for (size_t i = 0; i < ids.size(); ++i) {
    const absl::Status staged = StageEntry(ids[i], first + static_cast<int64_t>(i), source);
    if (!staged.ok() && !IsRefusedRow(staged)) return staged;
  }
  return StagedNumbers(source);
}

absl::StatusOr<int64_t> Quarantine::RetryTogether(
    const std::vector<MappingIndex>& mappings,
    absl::FunctionRef<absl::Status(MappingIndex mapping, Moment moment)> feed) {
  std::vector<TogetherPart> parts;
  std::vector<int64_t> ids;  // by number
  for (const MappingIndex mapping : mappings) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> own, EntriesOf(kClashes, mapping));
    if (own.empty()) continue;
    const SourceIndex source = stage_.plan().mappings[mapping].source;
    const auto first = static_cast<int64_t>(ids.size());
    ids.insert(ids.end(), own.begin(), own.end());
    ASSIGN_OR_RETURN(Numbers rows, StageEntries(own, first, source));
    RETURN_IF_ERROR(feed(mapping, Moment::kBefore));
    parts.push_back({mapping, stage_.plan().mappings[mapping].together_stage, std::move(rows)});
    RETURN_IF_ERROR(SaveStage(source, parts.back().saved));
    RETURN_IF_ERROR(NoteMissing(mapping));
    RETURN_IF_ERROR(stage_.ClearStage(source));
  }
  if (parts.size() < 2) return 0;
  ASSIGN_OR_RETURN(const std::vector<Refusal> refusals, WriteTogether(writer_, parts));
  int64_t went = 0;
  for (const TogetherPart& part : parts) {
    const SourceIndex source = stage_.plan().mappings[part.mapping].source;
    RETURN_IF_ERROR(RestoreStage(source, part.saved, "true"));
    RETURN_IF_ERROR(feed(part.mapping, Moment::kAfter));
    RETURN_IF_ERROR(stage_.ClearStage(source));
    Numbers written = part.rows;
    for (const Refusal& refusal : refusals) std::erase(written, refusal.number);
    CountMissing(source, part.mapping, written);
    for (const int64_t row : written) {
      RETURN_IF_ERROR(Forget(ids[static_cast<size_t>(row)]));
    }
    went += static_cast<int64_t>(written.size());
  }
  return went;
}

absl::Status Quarantine::TouchScopes(MappingIndex mapping, const Numbers& scopes) {
  RETURN_IF_ERROR(stage_.CleanRecompute(mapping));
  for (const auto& [from, to] : ContiguousRuns(scopes)) {
    RETURN_IF_ERROR(stage_.Run(stage_.plan().mappings[mapping].keyed.slice_take,
                               {std::to_string(from - 1), std::to_string(to - 1)}));
  }
  return absl::OkStatus();
}

absl::Status Quarantine::RecomputeCarefully(MappingIndex mapping, Lsn lsn,
                                            TableWriter::Readers readers) {
  const std::string slice = Temp(stage_.plan().mappings[mapping].keyed.slice_table);
  RETURN_IF_ERROR(stage_.session().Execute("DELETE FROM " + slice));
  RETURN_IF_ERROR(stage_.Run(stage_.plan().mappings[mapping].keyed.slice_fill));
  ASSIGN_OR_RETURN(const std::vector<Refusal> refusals, RecomputeOrBisect(mapping, readers));
  if (active(mapping)) RETURN_IF_ERROR(ForgetScopes(mapping, refusals));
  for (const Refusal& refusal : refusals) RETURN_IF_ERROR(StoreScope(mapping, lsn, refusal));
  if (refusals.empty()) return absl::OkStatus();
  return CheckCount(kPassingFactor * options_.entries_max);
}

absl::StatusOr<std::vector<Refusal>> Quarantine::RecomputeOrBisect(MappingIndex mapping,
                                                                   TableWriter::Readers readers) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  const std::string slice = Temp(plan.keyed.slice_table);
  ASSIGN_OR_RETURN(const pg::Result count,
                   stage_.session().Query("SELECT coalesce(max(sy__n), 0) FROM " + slice));
  std::vector<Refusal> refusals;
  if (writer_.ordered() != nullptr) {
    ASSIGN_OR_RETURN(const auto barred, writer_.ordered()->late_refusals().Barred(mapping));
    for (const auto& [number, error] : barred) refusals.push_back({number, error});
  }
  Numbers without;
  for (const Refusal& refusal : refusals) without.push_back(refusal.number);
  std::ranges::sort(without);
  const auto recompute = [&](const Numbers& some, Manner manner) -> absl::Status {
    RETURN_IF_ERROR(TouchScopes(mapping, some));
    return writer_.Recompute(mapping, manner, readers);
  };
  const auto write = [&](const Numbers& some) {
    const absl::Status status = InSavepoint([&] { return recompute(some, Manner::kInPlace); });
    if (!IsRefusedRow(status)) return status;
    return InSavepoint([&] { return recompute(some, Manner::kTakenOut); });
  };
  const auto fits = [&](const Numbers& some, const Numbers& among) {
    return TryAndUndo([&]() -> absl::Status {
      Numbers others;
      std::ranges::set_difference(among, some, std::back_inserter(others));
      RETURN_IF_ERROR(TouchScopes(mapping, others));
      RETURN_IF_ERROR(
          stage_.Run(plan.keyed.patch.on ? plan.keyed.patch.out_of_the_way : plan.keyed.remove));
      return recompute(some, Manner::kTakenOut);
    });
  };
  ASSIGN_OR_RETURN(
      const std::vector<Refusal> more,
      WriteInPieces(count.i64(0, 0), without, options_.scopes_per_recompute, {write, fits}));
  refusals.insert(refusals.end(), more.begin(), more.end());
  return refusals;
}

// The mapping's scopes whose number meets the condition.
records::ScopesSql Quarantine::Scopes(MappingIndex mapping, const std::string& condition) const {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  return {.table = Temp(plan.keyed.slice_table),
          .equal = mapping::KeyEqual(plan.keyed.scope_columns, plan.operators, "e", "s"),
          .condition = condition};
}

// Scopes that went through are no longer in quarantine.
absl::Status Quarantine::ForgetScopes(MappingIndex mapping, const std::vector<Refusal>& refusals) {
  std::vector<std::string> failed = {"0"};
  for (const Refusal& refusal : refusals) failed.push_back(std::to_string(refusal.number));
  // Scopes by the million, which no index knows.
  RETURN_IF_ERROR(stage_.session().Execute("SET LOCAL enable_hashjoin = on"));
  ASSIGN_OR_RETURN(
      const bool went,
      entries().ForgetScopes(
          TargetOf(mapping),
          Scopes(mapping, absl::StrCat("s.sy__n NOT IN (", absl::StrJoin(failed, ", "), ")"))));
  entries_went_ |= went;
  return stage_.session().Execute("SET LOCAL enable_hashjoin = off");
}

absl::Status Quarantine::StoreScope(MappingIndex mapping, Lsn lsn, const Refusal& refusal) {
  if (!stores_) return refusal.error;
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  const pg::ErrorFields fields = FieldsOf(mapping, refusal.error);
  active_.insert(mapping);
  entries_came_ = true;
  clashed_ |= IsClash(refusal.error);
  ASSIGN_OR_RETURN(const bool known,
                   entries().RefuseScopes(
                       TargetOf(mapping),
                       Scopes(mapping, absl::StrCat("s.sy__n = ", refusal.number)), lsn, fields));
  if (known) return plan.keyed.patch.on ? KeepImages(mapping, refusal.number) : absl::OkStatus();
  LogError("replayer", "scope put in quarantine",
           {{"stream", options_.stream},
            {"table", plan.display},
            {"sqlstate", fields.sqlstate},
            {"error", RefusalText(refusal.error)},
            {"next", "mend the cause, then: switchyard quarantine FILE retry"}});
  ASSIGN_OR_RETURN(const pg::Result scope,
                   stage_.session().Query(plan.keyed.scope_json, {std::to_string(refusal.number)}));
  RETURN_IF_ERROR(entries().AddScope(TargetOf(mapping), scope.str(0, 0), lsn, fields));
  return plan.keyed.patch.on ? KeepImages(mapping, refusal.number) : absl::OkStatus();
}

// Everything that was tried of the scope is undone by now, and its temporary tables are as empty.
absl::Status Quarantine::KeepImages(MappingIndex mapping, int64_t scope) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  const mapping::PatchPlan& patch = plan.keyed.patch;
  RETURN_IF_ERROR(TouchScopes(mapping, {scope}));
  RETURN_IF_ERROR(writer_.before_images()->Fill(mapping));
  const absl::Status computed = InSavepoint([&] { return stage_.Compute(mapping); });
  if (!computed.ok() && !IsRefusedRow(computed)) return computed;
  RETURN_IF_ERROR(entries().KeepImages(
      TargetOf(mapping), Scopes(mapping, absl::StrCat("s.sy__n = ", scope)),
      {.before = RowsJson(patch.columns, Temp(patch.before_table)),
       .after = computed.ok() ? RowsJson(patch.columns, Temp(plan.keyed.new_table)) : "NULL",
       .there = RowsJson(patch.columns, patch.there)}));
  return stage_.CleanRecompute(mapping);
}

absl::Status Quarantine::TouchEntry(int64_t id, MappingIndex mapping) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  std::vector<std::string> columns;
  for (const std::string& column : plan.keyed.scope_columns) {
    columns.push_back(QuoteIdentifier(column));
  }
  return entries().Touch(id, Temp(plan.keyed.touched_table), columns);
}

absl::Status Quarantine::NextClashes() {
  if (clashed_) return absl::OkStatus();
  bool some = false;
  bool under_way = false;
  const auto load = [&](int64_t limit) -> absl::Status {
    for (const MappingIndex mapping : active_) {
      Walk& walk = clashes_[mapping];
      under_way |= walk.after > 0;
      ASSIGN_OR_RETURN(walk.ids, entries().ClashesOf(TargetOf(mapping), walk.after, limit));
      some |= !walk.ids.empty();
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(load(kClashesAtOnce));
  if (!some && under_way) {
    clashes_.clear();
    return load(kTogetherMax);
  }
  for (auto& [mapping, walk] : clashes_) {
    if (!walk.ids.empty()) walk.after = walk.ids.back();
  }
  return absl::OkStatus();
}

void Quarantine::WalkThroughWaiting() {
  walk_again_ = !walks_.empty();
  for (const MappingIndex mapping : active_) walks_.try_emplace(mapping);
}

absl::StatusOr<bool> Quarantine::LoadWaiting(int64_t limit) {
  bool some = false;
  for (auto& [mapping, walk] : walks_) {
    ASSIGN_OR_RETURN(walk.ids, entries().WaitingOf(TargetOf(mapping), walk.after, limit));
    some |= !walk.ids.empty();
  }
  return some;
}

absl::StatusOr<bool> Quarantine::NextWaiting() {
  const auto from_the_beginning = [this] {
    for (auto& [mapping, walk] : walks_) walk.after = 0;
  };
  while (!walks_.empty()) {
    if (!std::exchange(together_, false)) {
      ASSIGN_OR_RETURN(const bool some, LoadWaiting(kWaitingAtOnce));
      if (some) {
        ++pages_;
        return true;
      }
      from_the_beginning();
      if (std::exchange(pages_, 0) > 1) {
        ASSIGN_OR_RETURN(together_, LoadWaiting(kTogetherMax));
        if (together_) return true;
      }
    }
    if (!std::exchange(walk_again_, false)) walks_.clear();
    from_the_beginning();
  }
  return false;
}

void Quarantine::WaitingTried() {
  for (auto& [mapping, walk] : walks_) {
    if (!walk.ids.empty()) walk.after = walk.ids.back();
  }
}

// Of those to be tried now: a try may let some go and be done once more.
absl::StatusOr<std::vector<int64_t>> Quarantine::StillThere(const Walks& walks,
                                                            MappingIndex mapping) {
  const auto walk = walks.find(mapping);
  if (walk == walks.end()) return std::vector<int64_t>();
  ASSIGN_OR_RETURN(std::vector<int64_t> ids, entries().IdsOf(TargetOf(mapping)));
  std::erase_if(ids, [&](int64_t id) { return !std::ranges::binary_search(walk->second.ids, id); });
  return ids;
}

absl::StatusOr<std::vector<int64_t>> Quarantine::EntriesOf(int64_t id, MappingIndex mapping) {
  const std::string target = TargetOf(mapping);
  if (id == 0) return entries().IdsOf(target);
  if (id == kClashes && clashed_) return entries().ClashesOf(target, 0, std::nullopt);
  if (id == kClashes) return StillThere(clashes_, mapping);
  if (id == kWaiting) return StillThere(walks_, mapping);
  ASSIGN_OR_RETURN(const bool there, entries().Has(id, target));
  return there ? std::vector<int64_t>{id} : std::vector<int64_t>();
}

absl::StatusOr<Quarantine::RetryResult> Quarantine::Retry(int64_t id, MappingIndex mapping,
                                                          Feed feed) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  ASSIGN_OR_RETURN(const std::vector<int64_t> ids, EntriesOf(id, mapping));
  const int64_t all = static_cast<int64_t>(ids.size());
  if (all == 0) return RetryResult();
  if (plan.row_local) {
    ASSIGN_OR_RETURN(const int64_t left,
                     WriteEntries(ids, plan.source, mapping, Missing::kCounted, feed));
    RETURN_IF_ERROR(stage_.ClearStage(plan.source));
    return RetryResult{.applied = all - left, .left = left};
  }
  RETURN_IF_ERROR(stage_.CleanRecompute(mapping));
  for (const int64_t entry : ids) RETURN_IF_ERROR(TouchEntry(entry, mapping));
  RETURN_IF_ERROR(RecomputeCarefully(mapping, Lsn(), feed));
  RETURN_IF_ERROR(stage_.CleanRecompute(mapping));
  ASSIGN_OR_RETURN(const std::vector<int64_t> left, EntriesOf(id, mapping));
  const int64_t still = static_cast<int64_t>(left.size());
  return RetryResult{.applied = all - still, .left = still};
}

absl::Status Quarantine::CheckBound() {
  return entries_came_ ? CheckCount(options_.entries_max) : absl::OkStatus();
}

absl::Status Quarantine::CheckCount(int64_t entries_max) {
  ASSIGN_OR_RETURN(const auto count, entries().CountByFault());
  const bool fits =
      copying_ ? count.own_fault <= entries_max && count.all <= kWaitingMax * options_.entries_max
               : count.all <= entries_max;
  if (fits) return absl::OkStatus();
  // None of this transaction's stay: what they are has to be said here.
  ASSIGN_OR_RETURN(const auto most, entries().MostFrequent());
  return Refuse(
      absl::StrFormat(
          "%d rows would be in quarantine, the limit is %d (replay.quarantine_max), %d "
          "of them refused by %s with SQLSTATE %s: the mapping is wrong rather than the "
          "rows",
          count.all, options_.entries_max, most.entries, most.target, most.sqlstate),
      "mend the mapping and run: switchyard resume FILE. To see them first, raise "
      "replay.quarantine_max, start replay again and run: switchyard quarantine FILE list");
}

}  // namespace switchyard::replayer
