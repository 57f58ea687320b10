#include "replayer/write/ordered_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::replayer {

using mapping::KeyEqual;
using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::OrderedSql;
using mapping::Reference;
using mapping::Temp;

namespace {

// Rows of table $1, with its partitions, that this transaction has deleted or changed, actions and
// what was rolled back included. Told of tables that the role may not read, too; NULL: not counted.
constexpr char kChanged[] = R"(
  SELECT sum(pg_stat_get_xact_tuples_deleted(p.oid) + pg_stat_get_xact_tuples_updated(p.oid))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS p (oid)
  WHERE n.nspname::text || '.' || c.relname::text = $1 AND current_setting('track_counts')::boolean)";
constexpr int64_t kUncounted = -1;

absl::Status Refused(const mapping::WriteOrder& order) {
  return RefuseAll(
      "this role may not set session_replication_role, and NEW's tables can't be written in an "
      "order that its foreign keys allow:",
      order.problems);
}

}  // namespace

absl::StatusOr<bool> SilenceTriggers(pg::Session& session) {
  const absl::Status set = session.Execute("SET session_replication_role = replica");
  if (set.ok()) return true;
  if (pg::StatusSqlState(set) == "42501") return false;
  return set;
}

OrderedWriter::OrderedWriter(Stage& stage, mapping::TargetRules rules, mapping::WriteOrder order,
                             std::vector<BarredRow>& barred)
    : stage_(stage),
      plan_(stage.plan()),
      rules_(std::move(rules)),
      order_(std::move(order)),
      late_refusals_(stage, rules_, order_, barred),
      remove_unreferenced_(plan_.mappings.size()) {
  for (const MappingIndex m : plan_.mapping_indices()) {
    const MappingPlan& plan = plan_.mappings[m];
    remove_unreferenced_[m] = "DELETE FROM " + plan.target + " AS sy_t USING " +
                              Temp(plan.ordered.leaving_table) + " AS sy_l WHERE " +
                              KeyEqual(plan.key, plan.operators, "sy_t", "sy_l");
    for (const int k : order_.targets[m].references) {
      const Reference& key = rules_.references[k];
      absl::StrAppend(&remove_unreferenced_[m], " AND NOT EXISTS (SELECT FROM ", key.child_quoted,
                      " AS sy_c WHERE ", RefersTo(key, "sy_c", "sy_t"));
      if (key.child == key.parent) {  // a row may refer to itself
        absl::StrAppend(&remove_unreferenced_[m], " AND NOT (",
                        KeyEqual(plan.key, plan.operators, "sy_c", "sy_t"), ")");
      }
      absl::StrAppend(&remove_unreferenced_[m], ")");
    }
  }
}

absl::StatusOr<std::unique_ptr<OrderedWriter>> OrderedWriter::Make(Stage& stage,
                                                                   std::vector<BarredRow>& barred) {
  ASSIGN_OR_RETURN(mapping::TargetRules rules,
                   mapping::LoadTargetRules(stage.session(), stage.plan()));
  mapping::WriteOrder order = mapping::OrderWrites(stage.plan(), rules);
  RETURN_IF_ERROR(Refused(order));
  std::string ddl;
  for (size_t m = 0; m < order.targets.size(); ++m) {
    if (order.targets[m].late) {
      absl::StrAppend(&ddl, stage.plan().mappings[m].ordered.leaving_table_ddl, ";\n");
    }
  }
  // Made before, after the copy: IF NOT EXISTS would say so each time.
  RETURN_IF_ERROR(Annotate(stage.session().Execute("SET client_min_messages = warning;\n" + ddl),
                           "temporary tables"));
  return std::unique_ptr<OrderedWriter>(
      new OrderedWriter(stage, std::move(rules), std::move(order), barred));
}

// A constraint that can't be put off may have the name of one that can: none is put off by name.
absl::Status OrderedWriter::Begin(Care care) {
  care_ = care;
  pending_.clear();
  carried_.clear();
  removed_.clear();
  noted_.clear();
  RETURN_IF_ERROR(stage_.session().Execute("SET CONSTRAINTS ALL DEFERRED"));
  if (care == Care::kNone) return absl::OkStatus();
  std::vector<std::string> at_once;
  for (const std::string& name : rules_.deferrable) {
    if (std::ranges::count(order_.wait, name) == 0) at_once.push_back(name);
  }
  if (!at_once.empty()) {
    RETURN_IF_ERROR(stage_.session().Execute(
        absl::StrCat("SET CONSTRAINTS ", absl::StrJoin(at_once, ", "), " IMMEDIATE")));
  }
  return late_refusals_.Begin();
}

MappingIndex OrderedWriter::MappingOf(const mapping::TableWrite& write) const {
  for (const MappingIndex m : plan_.mapping_indices()) {
    if (&plan_.mappings[m].write == &write) return m;
  }
  return {};
}

MappingIndex OrderedWriter::LateMapping(const mapping::TableWrite& write) const {
  const MappingIndex mapping = MappingOf(write);
  return mapping.valid() && late(mapping) ? mapping : MappingIndex();
}

absl::StatusOr<std::vector<int64_t>> OrderedWriter::CountActedOn(MappingIndex mapping) {
  std::vector<int64_t> counts;
  for (const int k : order_.targets[mapping].acting) {
    ASSIGN_OR_RETURN(const pg::Result count,
                     stage_.session().QueryPrepared(kChanged, {rules_.references[k].child}));
    counts.push_back(count.is_null(0, 0) ? kUncounted : count.i64(0, 0));
  }
  return counts;
}

absl::Status OrderedWriter::TakeOutSafely(MappingIndex mapping,
                                          absl::FunctionRef<absl::Status()> body) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> before, CountActedOn(mapping));
  RETURN_IF_ERROR(body());
  ASSIGN_OR_RETURN(const std::vector<int64_t> after, CountActedOn(mapping));
  for (size_t i = 0; i < before.size(); ++i) {
    if (after[i] == before[i] && after[i] != kUncounted) continue;
    const Reference& key = rules_.references[order_.targets[mapping].acting[i]];
    return KeyViolated(
        key, absl::StrCat("rows of ", key.child, " that refer to rows of ", key.parent,
                          " would be deleted or changed by foreign key ", key.name,
                          " while those are taken out, to change what can't be changed in place"));
  }
  return absl::OkStatus();
}

bool OrderedWriter::related(MappingIndex mapping, MappingIndex other) const {
  const std::string& one = plan_.mappings[mapping].display;
  const std::string& two = plan_.mappings[other].display;
  return std::ranges::any_of(rules_.references, [&](const mapping::Reference& key) {
    return (key.child == one && key.parent == two) || (key.child == two && key.parent == one);
  });
}

bool OrderedWriter::MayMeetOld(MappingIndex mapping, const changes::TableChanges& table) const {
  // What is deleted and what is inserted may have equal keys of different texts (batcher.h).
  const bool replaces =
      table.count(changes::Op::kDelete) > 0 && table.count(changes::Op::kInsert) > 0;
  return order_.targets[mapping].late &&
         (table.truncated || replaces || table.count(changes::Op::kMove) > 0 ||
          carried_.contains(mapping));
}

absl::Status OrderedWriter::RunAll(MappingIndex mapping,
                                   std::initializer_list<const std::string*> statements) {
  for (const std::string* sql : statements) {
    RETURN_IF_ERROR(Annotate(stage_.Run(*sql), plan_.mappings[mapping].display));
  }
  return absl::OkStatus();
}

absl::Status OrderedWriter::Note(MappingIndex mapping, const std::string& sql) {
  stage_.UseTable(plan_.mappings[mapping].ordered.leaving_table);
  pending_.insert(mapping);
  return RunAll(mapping, {&sql});
}

// Of a tree of rows the outermost go first, until none is left that nothing refers to.
absl::Status OrderedWriter::RemoveUnreferenced(MappingIndex mapping) {
  if (!pending_.contains(mapping)) return absl::OkStatus();
  int64_t removed = 0;
  do {
    ASSIGN_OR_RETURN(const pg::Result result,
                     stage_.session().QueryPrepared(remove_unreferenced_[mapping]));
    removed = result.affected();
  } while (removed > 0 && order_.targets[mapping].insert_first);
  return absl::OkStatus();
}

bool OrderedWriter::IsReadByOthers(MappingIndex mapping) const {
  return std::ranges::any_of(plan_.mappings, [&](const MappingPlan& other) {
    return std::ranges::count(other.keyed.touches, mapping, &mapping::TouchRule::upstream) > 0;
  });
}

absl::Status OrderedWriter::RemoveStagedEarly(MappingIndex mapping, const changes::Batch& batch,
                                              Missing missing) {
  const bool counted = missing == Missing::kCounted;
  const MappingPlan& plan = plan_.mappings[mapping];
  removed_.erase(&plan.write);
  noted_.erase(&plan.write);
  if (IsReadByOthers(mapping)) return absl::OkStatus();
  for (const changes::TableChanges& table : batch.tables) {
    if (table.source != plan.source || table.truncated) continue;
    if (table.count(changes::Op::kDelete) == 0) continue;
    if (late(mapping)) {
      if (counted) RETURN_IF_ERROR(CountRemoved(mapping, table));
      noted_.insert(&plan.write);
      RETURN_IF_ERROR(Note(mapping, plan.ordered.note_deleted));
      RETURN_IF_ERROR(RemoveUnreferenced(mapping));
    } else if (!order_.targets[mapping].referenced) {
      RETURN_IF_ERROR(counted ? stage_.Remove(table, plan.write)
                              : RunAll(mapping, {&plan.write.remove}));
      removed_.insert(&plan.write);
    }
  }
  return absl::OkStatus();
}

absl::Status OrderedWriter::CountRemoved(MappingIndex mapping, const changes::TableChanges& table) {
  const mapping::TableWrite& write = plan_.mappings[mapping].write;
  return stage_.CountMissing(write.missing_removed, table.source, write);
}

bool OrderedWriter::RemovesScopesEarly(MappingIndex mapping) const {
  const mapping::WriteOrder::Target& target = order_.targets[mapping];
  return target.blocks && !plan_.mappings[mapping].row_local && !IsReadByOthers(mapping) &&
         (target.late || !target.referenced) &&
         std::ranges::all_of(plan_.mappings[mapping].keyed.touches,
                             [](const mapping::TouchRule& rule) { return !rule.upstream.valid(); });
}

absl::Status OrderedWriter::RemoveScopesEarly(MappingIndex mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  RETURN_IF_ERROR(stage_.Compute(mapping));
  if (late(mapping)) {
    RETURN_IF_ERROR(Note(mapping, plan.ordered.note));
    RETURN_IF_ERROR(RemoveUnreferenced(mapping));
  } else {
    RETURN_IF_ERROR(RunAll(mapping, {&plan.keyed.remove}));
  }
  // Computed once more when its turn comes: in the careful pass, piece by piece.
  const std::string empty = "DELETE FROM " + Temp(plan.keyed.new_table);
  return RunAll(mapping, {&empty});
}

absl::Status OrderedWriter::Write(MappingIndex mapping, const changes::TableChanges& table,
                                  Inserts inserts) {
  const mapping::TableWrite& write = plan_.mappings[mapping].write;
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  const Staged staged{.fresh = table.count(changes::Op::kInsert) > 0,
                      .moved = table.count(changes::Op::kMove) > 0,
                      .overlap = MayMeetOld(mapping, table)};
  if (table.truncated) RETURN_IF_ERROR(NoteAll(mapping));
  if (table.count(changes::Op::kDelete) > 0 && !noted_.contains(&write)) {
    RETURN_IF_ERROR(CountRemoved(mapping, table));
  }
  if (table.count(changes::Op::kDelete) + table.count(changes::Op::kMove) > 0) {
    RETURN_IF_ERROR(Note(mapping, sql.note));
  }
  if (staged.moved) {
    stage_.UseTable(write.taken_table);
    RETURN_IF_ERROR(
        stage_.RunCounted(sql.take_moved, table.count(changes::Op::kMove), table.source, write));
    RETURN_IF_ERROR(stage_.ChangeTaken(write));
  }
  RETURN_IF_ERROR(RemoveUnreferenced(mapping));
  const auto update = [&]() -> absl::Status {
    RETURN_IF_ERROR(stage_.Update(table, write));
    if (staged.moved) RETURN_IF_ERROR(RunAll(mapping, {&sql.moved_update}));
    return staged.overlap && staged.fresh ? RunAll(mapping, {&sql.fresh_update}) : absl::OkStatus();
  };
  const bool insert_first = order_.targets[mapping].insert_first;
  if (!insert_first) RETURN_IF_ERROR(update());
  RETURN_IF_ERROR(Insert(mapping, staged, table, inserts));
  if (insert_first) RETURN_IF_ERROR(update());
  if (staged.overlap) RETURN_IF_ERROR(RunAll(mapping, {&sql.keep}));
  const std::string empty = "DELETE FROM " + Temp(write.taken_table);
  return staged.moved ? RunAll(mapping, {&empty}) : absl::OkStatus();
}

absl::Status OrderedWriter::Insert(MappingIndex mapping, const Staged& staged,
                                   const changes::TableChanges& table, Inserts inserts) {
  const mapping::TableWrite& write = plan_.mappings[mapping].write;
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  if (staged.moved) RETURN_IF_ERROR(RunAll(mapping, {&sql.moved_insert}));
  if (!staged.fresh) return absl::OkStatus();
  if (staged.overlap) return RunAll(mapping, {&sql.fresh_insert});
  if (inserts == Inserts::kDirect) {
    return Annotate(stage_.CopyInserts(table, write), write.display);
  }
  return RunAll(mapping, {&write.insert});
}

absl::Status OrderedWriter::WriteStaged(MappingIndex mapping) {
  const mapping::TableWrite& write = plan_.mappings[mapping].write;
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  RETURN_IF_ERROR(Note(mapping, sql.note));
  stage_.UseTable(write.taken_table);
  RETURN_IF_ERROR(RunAll(mapping, {&sql.take_moved}));
  RETURN_IF_ERROR(stage_.ChangeTaken(write));
  RETURN_IF_ERROR(RemoveUnreferenced(mapping));
  const std::string empty = "DELETE FROM " + Temp(write.taken_table);
  if (order_.targets[mapping].insert_first) {
    return RunAll(mapping, {&sql.moved_insert, &sql.fresh_insert, &write.update_absent,
                            &sql.moved_update, &sql.fresh_update, &sql.keep, &empty});
  }
  return RunAll(mapping, {&write.update_absent, &sql.moved_update, &sql.fresh_update,
                          &sql.moved_insert, &sql.fresh_insert, &sql.keep, &empty});
}

absl::Status OrderedWriter::WriteByTakingOut(MappingIndex mapping) {
  const mapping::TableWrite& write = plan_.mappings[mapping].write;
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  RETURN_IF_ERROR(Note(mapping, sql.note));
  stage_.UseTable(write.taken_table);
  RETURN_IF_ERROR(RunAll(mapping, {&sql.take_changed}));
  RETURN_IF_ERROR(stage_.ChangeTaken(write));
  RETURN_IF_ERROR(RemoveUnreferenced(mapping));
  RETURN_IF_ERROR(RunTakeOut(mapping));
  const std::string empty = "DELETE FROM " + Temp(write.taken_table);
  return RunAll(mapping, {&sql.keep, &empty});
}

absl::Status OrderedWriter::RunTakeOut(MappingIndex mapping) {
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  const bool all = order_.targets[mapping].take_out_all;
  return TakeOutSafely(mapping,
                       [&] { return RunAll(mapping, {all ? &sql.take_out_all : &sql.take_out}); });
}

absl::Status OrderedWriter::Recompute(MappingIndex mapping, Manner manner) {
  const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
  const OrderedSql& sql = plan_.mappings[mapping].ordered;
  const mapping::WriteOrder::Target& target = order_.targets[mapping];
  RETURN_IF_ERROR(Note(mapping, sql.note));
  RETURN_IF_ERROR(RunAll(mapping, {&sql.keep}));
  RETURN_IF_ERROR(RemoveUnreferenced(mapping));
  if (manner == Manner::kTakenOut) return RunTakeOut(mapping);
  if (target.insert_first) return RunAll(mapping, {&keyed.insert, &keyed.update});
  return RunAll(mapping, {&keyed.update, &keyed.insert});
}

absl::Status OrderedWriter::NoteAll(MappingIndex mapping) {
  return Note(mapping, plan_.mappings[mapping].ordered.note_all);
}

absl::Status OrderedWriter::NoteSwap(MappingIndex mapping, const std::string& load) {
  RETURN_IF_ERROR(
      Note(mapping, ReplaceInSql(plan_.mappings[mapping].ordered.note_swap, "{load}", load)));
  return RemoveUnreferenced(mapping);
}

absl::Status OrderedWriter::Finish() {
  return late_refusals_.Finish(std::exchange(pending_, {}), care_);
}

}  // namespace switchyard::replayer
