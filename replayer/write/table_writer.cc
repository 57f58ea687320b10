#include "replayer/write/table_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "replayer/write/patch_writer.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::SourcePlan;
using mapping::TableWrite;

namespace {

bool MustTakeOut(const changes::TableChanges& table, const TableWrite& write) {
  return (write.take_out_moves && table.count(changes::Op::kMove) > 0) ||
         (write.take_out_updates && table.count(changes::Op::kUpdate) > 0);
}

}  // namespace

const std::unique_ptr<OrderedWriter>& TableWriter::Silent() {
  static const std::unique_ptr<OrderedWriter> none;
  return none;
}

absl::Status TableWriter::Allot(const mapping::IdAllotment& ids, const std::string& sql,
                                absl::FunctionRef<absl::Status(const std::string& sql)> run) {
  const absl::Status allotted = run(sql);
  if (!IsRefusedRow(allotted)) return Annotate(allotted, "ids of kind " + ids.kind);
  const SourcePlan& source = stage_.plan().sources[ids.source];
  const bool taken = pg::StatusSqlState(allotted) == "23505";
  const std::string why = taken ? "its new_id is that of another old id already"
                                : std::string(StdSv(allotted.message()));
  return Refuse(
      absl::StrFormat("ids of kind %s: a row of %s.%s gets none: %s", ids.kind, source.schema,
                      source.name, why),
      absl::StrFormat(
          "mend old_id and new_id of that rule of ids%s, then run: switchyard resume "
          "FILE, and start it again",
          taken ? " (many: true there where several old ids are to have one new id)" : ""));
}

absl::Status TableWriter::Allot(const mapping::IdAllotment& ids, const std::string& sql) {
  return Allot(ids, sql, [&](const std::string& text) { return stage_.Run(text); });
}

absl::Status TableWriter::AllotPassed(const changes::TableChanges& table) {
  if (table.count(changes::Op::kPassed) == 0) return absl::OkStatus();
  for (const mapping::IdAllotment& ids : stage_.plan().ids) {
    if (ids.source == table.source) RETURN_IF_ERROR(Allot(ids, ids.passed));
  }
  const std::string stage = "pg_temp." + QuoteIdentifier(stage_.plan().sources[table.source].stage);
  return stage_.Run("DELETE FROM " + stage + " WHERE sy__op = 'P'");
}

absl::Status TableWriter::RemoveAhead(const changes::TableChanges& table, const TableWrite& write) {
  ASSIGN_OR_RETURN(removed_ahead_[&write], CountMissedBefore(stage_, write));
  if (table.truncated) RETURN_IF_ERROR(ClearNow(write));
  if (MustTakeOut(table, write) || table.count(changes::Op::kMove) > 0) {
    stage_.UseTable(write.taken_table);
    RETURN_IF_ERROR(
        Annotate(stage_.CountMissing(write.missing, table.source, write), write.display));
    return Annotate(stage_.Run(write.take_out[0]), write.display);
  }
  return table.count(changes::Op::kDelete) > 0 ? stage_.Remove(table, write) : absl::OkStatus();
}

absl::Status TableWriter::Write(const changes::TableChanges& table, const TableWrite& write,
                                Inserts inserts) {
  const auto before = removed_ahead_.extract(&write);
  const Ahead ahead = before.empty() ? Ahead::kNothing : Ahead::kRemoved;
  int64_t missed = 0;
  if (ahead == Ahead::kRemoved) {
    missed = before.mapped();
  } else {
    ASSIGN_OR_RETURN(missed, CountMissedBefore(stage_, write));
  }
  return WriteChecked(stage_, write, GoneOf(Late(write)), missed,
                      [&] { return WriteAll(table, write, inserts, ahead); });
}

absl::Status TableWriter::WriteAll(const changes::TableChanges& table, const TableWrite& write,
                                   Inserts inserts, Ahead before) {
  const bool direct = inserts == Inserts::kDirect;
  if (const MappingIndex late = Late(write); late.valid())
    return ordered_->Write(late, table, inserts);
  const auto in = [&](const absl::Status& status) { return Annotate(status, write.display); };
  const bool ahead = before == Ahead::kRemoved;
  if (table.truncated && !ahead) RETURN_IF_ERROR(ClearNow(write));
  if (MustTakeOut(table, write) || (ahead && table.count(changes::Op::kMove) > 0)) {
    if (!ahead)
      RETURN_IF_ERROR(in(stage_.CountMissing(write.missing_changed, table.source, write)));
    RETURN_IF_ERROR(ahead ? in(PutBack(write)) : TakeOutAll(write));
    return direct ? in(stage_.CopyInserts(table, write)) : absl::OkStatus();
  }
  const bool removed = ahead || (ordered_ != nullptr && ordered_->removed(write));
  if (table.count(changes::Op::kDelete) > 0 && !removed)
    RETURN_IF_ERROR(stage_.Remove(table, write));
  if (table.count(changes::Op::kMove) > 0) {
    RETURN_IF_ERROR(
        in(stage_.RunCounted(write.move, table.count(changes::Op::kMove), table.source, write)));
  }
  RETURN_IF_ERROR(stage_.Update(table, write));
  if (table.count(changes::Op::kInsert) == 0) return absl::OkStatus();
  return in(direct ? stage_.CopyInserts(table, write) : stage_.Run(write.insert));
}

// Keys that move one after the other into each other's places can't be updated in one statement,
// whose order nobody knows: those rows are taken out and put back.
absl::Status TableWriter::WriteMirror(const changes::TableChanges& table,
                                      const TableWrite& mirror) {
  if (table.count(changes::Op::kMove) < 2) return Write(table, mirror, Inserts::kStaged);
  if (table.truncated) RETURN_IF_ERROR(Annotate(stage_.Run(mirror.truncate), mirror.display));
  RETURN_IF_ERROR(
      Annotate(stage_.CountMissing(mirror.missing, table.source, mirror), mirror.display));
  return WriteByTakingOut(mirror);
}

absl::Status TableWriter::Clear(const TableWrite& write) {
  const MappingIndex late = Late(write);
  return late.valid() ? Annotate(ordered_->NoteAll(late), write.display) : ClearNow(write);
}

absl::Status TableWriter::ClearNow(const TableWrite& write) {
  RETURN_IF_ERROR(Annotate(stage_.Run(write.truncate), write.display));
  return CheckCleared(stage_, write);
}

MappingIndex TableWriter::Late(const TableWrite& write) const {
  return ordered_ == nullptr ? MappingIndex() : ordered_->LateMapping(write);
}

absl::Status TableWriter::WriteStaged(const TableWrite& write) {
  ASSIGN_OR_RETURN(const int64_t missed, CountMissedBefore(stage_, write));
  return WriteChecked(stage_, write, GoneOf(Late(write)), missed,
                      [&] { return WriteAllStaged(write); });
}

absl::Status TableWriter::WriteAllStaged(const TableWrite& write) {
  if (const MappingIndex late = Late(write); late.valid()) return ordered_->WriteStaged(late);
  if (write.take_out_moves || write.take_out_updates) return TakeOutAll(write);
  for (const std::string* sql : {&write.remove, &write.move, &write.update_absent, &write.insert}) {
    RETURN_IF_ERROR(Annotate(stage_.Run(*sql), write.display));
  }
  return absl::OkStatus();
}

absl::Status TableWriter::WriteByTakingOut(const TableWrite& write) {
  ASSIGN_OR_RETURN(const int64_t missed, CountMissedBefore(stage_, write));
  return WriteChecked(stage_, write, GoneOf(Late(write)), missed,
                      [&] { return TakeOutAll(write); });
}

absl::Status TableWriter::TakeOutAll(const TableWrite& write) {
  if (const MappingIndex late = Late(write); late.valid()) return ordered_->WriteByTakingOut(late);
  stage_.UseTable(write.taken_table);
  const auto take_out = [&]() -> absl::Status {
    for (size_t i = 0; i < write.take_out.size(); ++i) {
      // After the first, which takes rows out of the target, no join has an index.
      if (i == 1) RETURN_IF_ERROR(stage_.PreferHashJoins());
      RETURN_IF_ERROR(stage_.Run(write.take_out[i]));
    }
    return stage_.PreferIndexes();
  };
  const MappingIndex mapping = ordered_ == nullptr ? MappingIndex() : ordered_->MappingOf(write);
  return Annotate(TakeOutSafely(mapping, write.remove, take_out), write.display);
}

absl::Status TableWriter::PutBack(const TableWrite& write) {
  for (size_t i = 1; i < write.take_out.size(); ++i) RETURN_IF_ERROR(stage_.Run(write.take_out[i]));
  return absl::OkStatus();
}

absl::Status TableWriter::TakeOutSafely(MappingIndex mapping, const std::string& remove,
                                        absl::FunctionRef<absl::Status()> take_out) {
  if (ordered_ == nullptr || !mapping.valid() || !ordered_->acted_on(mapping)) return take_out();
  RETURN_IF_ERROR(stage_.Run(remove));
  return ordered_->TakeOutSafely(mapping, take_out);
}

absl::Status TableWriter::Touch(MappingIndex mapping, const mapping::TouchRule& rule, Moment moment,
                                Breadth breadth) {
  stage_.UseMapping(mapping);
  if (moment == Moment::kAfter) return stage_.Run(rule.after);
  return stage_.Run(breadth == Breadth::kAll ? rule.all : rule.before);
}

absl::Status TableWriter::TouchOwn(MappingIndex mapping) {
  stage_.UseMapping(mapping);
  return stage_.Run(stage_.plan().mappings[mapping].keyed.touch_own);
}

// No row is taken from a scope that is not computed with it.
absl::Status TableWriter::CheckHeld(MappingIndex mapping) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  const bool late = ordered_ != nullptr && ordered_->late(mapping);
  const std::string& sql = late ? plan.ordered.held : plan.keyed.held;
  if (sql.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result held, stage_.session().QueryPrepared(sql));
  if (held.rows() == 0) return absl::OkStatus();
  return RefusedScope("23505", plan, "the select gives a key that a row of another scope has");
}

absl::Status TableWriter::FindChanges(MappingIndex mapping, Readers readers) {
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  if (plan.keyed.remember.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(stage_.Run(plan.keyed.remember), plan.display));
  RETURN_IF_ERROR(stage_.PreferHashJoins());
  for (const std::string& sql : plan.keyed.changes) {
    RETURN_IF_ERROR(Annotate(stage_.Run(sql), plan.display));
  }
  RETURN_IF_ERROR(stage_.PreferIndexes());
  return readers(Moment::kBefore);
}

absl::Status TableWriter::Recompute(MappingIndex mapping, Manner manner, Readers readers) {
  if (stage_.plan().mappings[mapping].keyed.patch.on) {
    if (before_ == nullptr) return absl::InternalError("a patch without before-images");
    return PatchRows(stage_, *before_, mapping, manner, readers);
  }
  RETURN_IF_ERROR(stage_.Compute(mapping));
  RETURN_IF_ERROR(CheckHeld(mapping));
  RETURN_IF_ERROR(FindChanges(mapping, readers));
  RETURN_IF_ERROR(WriteComputed(mapping, manner));
  const bool late = ordered_ != nullptr && ordered_->late(mapping);
  RETURN_IF_ERROR(CheckComputed(stage_, mapping, late ? Gone::kLate : Gone::kNow));
  return stage_.plan().mappings[mapping].keyed.remember.empty() ? absl::OkStatus()
                                                                : readers(Moment::kAfter);
}

absl::Status TableWriter::RemoveVanished(MappingIndex mapping, Readers readers) {
  RETURN_IF_ERROR(stage_.Compute(mapping));
  RETURN_IF_ERROR(FindChanges(mapping, readers));
  const MappingPlan& plan = stage_.plan().mappings[mapping];
  RETURN_IF_ERROR(Annotate(stage_.Run(plan.keyed.remove), plan.display));
  return plan.keyed.remember.empty() ? absl::OkStatus() : readers(Moment::kAfter);
}

absl::Status TableWriter::WriteComputed(MappingIndex mapping, Manner manner) {
  const mapping::KeyedPlan& keyed = stage_.plan().mappings[mapping].keyed;
  const auto in = [&](const absl::Status& status) {
    return Annotate(status, stage_.plan().mappings[mapping].display);
  };
  if (ordered_ != nullptr && ordered_->late(mapping)) {
    return ordered_->Recompute(mapping, manner);
  }
  if (manner == Manner::kTakenOut || keyed.take_out_only) {
    return in(TakeOutSafely(mapping, keyed.remove, [&]() -> absl::Status {
      for (size_t i = 0; i < keyed.take_out.size(); ++i) {
        // After the first, which takes rows out of the target, no join has an index.
        if (i == 1) RETURN_IF_ERROR(stage_.PreferHashJoins());
        RETURN_IF_ERROR(stage_.Run(keyed.take_out[i]));
      }
      return stage_.PreferIndexes();
    }));
  }
  RETURN_IF_ERROR(in(stage_.Run(keyed.remove)));
  RETURN_IF_ERROR(in(stage_.Run(keyed.update)));
  return in(stage_.Run(keyed.insert));
}

}  // namespace switchyard::replayer
