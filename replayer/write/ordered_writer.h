// Writes a plan's tables where the target's foreign keys hold: for a role that may not set
// session_replication_role (common/mapping/write_order.h says in which order and why).
//
// A TableWriter that has one hands it the tables whose rows go late; the others it writes itself.
//
//   ordered->Begin(care);                 // in every transaction of the target, first
//   for (m : Backwards(ordered->order()))
//     ordered->RemoveStagedEarly(m, batch, missing);  // what nothing refers to any more
//   for (m : ordered->order()) ...
//   ordered->Finish();                    // what had to wait, and what the database put off
//
// Thread-compatible; the stage must outlive it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/install/write_order.h"
#include "replayer/write/late_refusals.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

class OrderedWriter {
 public:
  // Reads the target's foreign keys and makes temporary tables; may be called again when keys
  // changed. FailedPrecondition: the tables can't be written in any order, naming each constraint.
  // `barred` must outlive it, as the stage (late_refusals.h).
  static absl::StatusOr<std::unique_ptr<OrderedWriter>> Make(Stage& stage,
                                                             std::vector<BarredRow>& barred);

  const std::vector<mapping::MappingIndex>& order() const { return order_.order; }

  // kCareful: what can be looked at at once is, so that a refused row is met where it is written.
  absl::Status Begin(Care care);
  // Before anything is written, children first: deletes the rows of this batch that go and to which
  // none refers, because their unique values may be taken over in it. A row-local mapping that is
  // read by no other ...
  absl::Status RemoveStagedEarly(mapping::MappingIndex mapping, const changes::Batch& batch,
                                 Missing missing);
  // ... or a keyed one, with the touched scopes complete.
  absl::Status RemoveScopesEarly(mapping::MappingIndex mapping);
  // Whether a keyed mapping has to, and can: rows of it keep rows of a table from going whose
  // unique values may pass on, and it reads no other mapping's table.
  bool RemovesScopesEarly(mapping::MappingIndex mapping) const;
  // Between the chunks of a transaction.
  void EndChunk() { carried_ = pending_; }
  // As LateRefusals::Finish.
  absl::Status Finish();
  LateRefusals& late_refusals() { return late_refusals_; }

  // The mapping whose table `write` is, or none; the second one only where its rows go late.
  mapping::MappingIndex MappingOf(const mapping::TableWrite& write) const;
  mapping::MappingIndex LateMapping(const mapping::TableWrite& write) const;
  // Its rows refer to rows of a table that is mapped.
  bool refers(mapping::MappingIndex mapping) const { return order_.targets[mapping].refers; }
  bool late(mapping::MappingIndex mapping) const { return order_.targets[mapping].late; }
  // Foreign keys of other tables, mapped or not, do something to their rows when its own go.
  bool acted_on(mapping::MappingIndex mapping) const {
    return !order_.targets[mapping].acting.empty();
  }
  // Rows of one may refer to rows of the other.
  bool related(mapping::MappingIndex mapping, mapping::MappingIndex other) const;
  // RemoveStagedEarly deleted the rows that the stage says.
  bool removed(const mapping::TableWrite& write) const { return removed_.contains(&write); }
  // An insert may meet a row that is still to go: it must be staged.
  bool MayMeetOld(mapping::MappingIndex mapping, const changes::TableChanges& table) const;

  // Runs `body`, which takes rows of the mapping out for a while. IsRefusedRow when an action
  // reached rows that refer to them, which nothing would put back: to be undone.
  absl::Status TakeOutSafely(mapping::MappingIndex mapping, absl::FunctionRef<absl::Status()> body);

  // As TableWriter's, for late mappings.
  absl::Status Write(mapping::MappingIndex mapping, const changes::TableChanges& table,
                     Inserts inserts);
  absl::Status WriteStaged(mapping::MappingIndex mapping);
  absl::Status WriteByTakingOut(mapping::MappingIndex mapping);
  absl::Status Recompute(mapping::MappingIndex mapping, Manner manner);
  absl::Status NoteAll(mapping::MappingIndex mapping);
  // The rows of a late mapping that the table `load` does not hold go: now, or when they can.
  absl::Status NoteSwap(mapping::MappingIndex mapping, const std::string& load);

 private:
  OrderedWriter(Stage& stage, mapping::TargetRules rules, mapping::WriteOrder order,
                std::vector<BarredRow>& barred);

  struct Staged {
    bool fresh = true;    // there may be inserts
    bool moved = true;    // there may be changed keys
    bool overlap = true;  // new rows may meet rows still to go
  };
  bool IsReadByOthers(mapping::MappingIndex mapping) const;
  absl::StatusOr<std::vector<int64_t>> CountActedOn(mapping::MappingIndex mapping);
  absl::Status Note(mapping::MappingIndex mapping, const std::string& sql);
  absl::Status RemoveUnreferenced(mapping::MappingIndex mapping);
  // Before its rows go: how many of those that are to go are not there.
  absl::Status CountRemoved(mapping::MappingIndex mapping, const changes::TableChanges& table);
  absl::Status RunTakeOut(mapping::MappingIndex mapping);
  absl::Status Insert(mapping::MappingIndex mapping, const Staged& staged,
                      const changes::TableChanges& table, Inserts inserts);
  absl::Status RunAll(mapping::MappingIndex mapping,
                      std::initializer_list<const std::string*> statements);

  Stage& stage_;
  const mapping::Plan& plan_;
  const mapping::TargetRules rules_;
  const mapping::WriteOrder order_;
  LateRefusals late_refusals_;
  std::vector<std::string> remove_unreferenced_;  // by mapping
  Care care_ = Care::kNone;
  std::set<mapping::MappingIndex> pending_;  // rows are noted, in this transaction
  std::set<mapping::MappingIndex> carried_;  // likewise, from chunks before this batch
  std::set<const mapping::TableWrite*> removed_;
  std::set<const mapping::TableWrite*> noted_;  // by RemoveStagedEarly, and counted
};

// Whether the session's role may silence triggers and foreign keys; if so, they are.
absl::StatusOr<bool> SilenceTriggers(pg::Session& session);

}  // namespace switchyard::replayer
