// Writes a plan's tables from what a stage holds: row-local mappings and mirrors by their changes,
// keyed mappings by recomputing the touched scopes. Knows nothing of positions or transactions.
//
// Thread-compatible; the stage must outlive it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "replayer/write/before_images.h"
#include "replayer/write/ordered_writer.h"
#include "replayer/write/stage.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

class TableWriter {
 public:
  // `ordered`: where the target's foreign keys hold, else null, as it is for a writer of mirrors
  // and copies. It may be made anew between transactions.
  explicit TableWriter(Stage& stage, const std::unique_ptr<OrderedWriter>& ordered = Silent())
      : stage_(stage), ordered_(ordered) {}

  // For mappings with mode: patch, which are not written without. Must outlive it.
  void set_before_images(BeforeImages* before) { before_ = before; }
  BeforeImages* before_images() const { return before_; }

  Stage& stage() { return stage_; }
  OrderedWriter* ordered() const { return ordered_.get(); }

  // Rows of op P get their ids and leave the stage. Before the mirror takes the batch.
  absl::Status AllotPassed(const changes::TableChanges& table);
  // Runs one of its statements by `run`. FailedPrecondition: a row has no id, or that of another.
  absl::Status Allot(const mapping::IdAllotment& ids, const std::string& sql,
                     absl::FunctionRef<absl::Status(const std::string& sql)> run);
  absl::Status Allot(const mapping::IdAllotment& ids, const std::string& sql);

  // The four kinds of change from the stage into one table; inserts straight by COPY if direct.
  absl::Status Write(const changes::TableChanges& table, const mapping::TableWrite& write,
                     Inserts inserts);
  // Ahead of Write, which does the rest: rows that go are deleted; where keys change, those that
  // change are taken out.
  absl::Status RemoveAhead(const changes::TableChanges& table, const mapping::TableWrite& write);
  // The same into a table that has the source's rows and key: a mirror, the side of a re-copy.
  absl::Status WriteMirror(const changes::TableChanges& table, const mapping::TableWrite& mirror);
  // Everything owned goes (TRUNCATE of the source).
  absl::Status Clear(const mapping::TableWrite& write);
  // The same for whatever the stage holds, without knowing how much of each kind.
  absl::Status WriteStaged(const mapping::TableWrite& write);
  // The same effect where rows hand unique values to each other. Everything must be staged.
  absl::Status WriteByTakingOut(const mapping::TableWrite& write);

  // Scopes of keyed mapping `mapping` touched by the rows of a source, before or after the change.
  absl::Status Touch(mapping::MappingIndex mapping, const mapping::TouchRule& rule, Moment moment,
                     Breadth breadth);
  // Every scope that the mapping's target holds.
  absl::Status TouchOwn(mapping::MappingIndex mapping);

  // What the rows that a mapping changes touch in others, which read its table: told before they
  // are written, and after, when they see each other.
  using Readers = absl::FunctionRef<absl::Status(Moment moment)>;
  // Recomputes the scopes in the mapping's touched table.
  absl::Status Recompute(mapping::MappingIndex mapping, Manner manner, Readers readers);
  // Of it only what removes rows.
  absl::Status RemoveVanished(mapping::MappingIndex mapping, Readers readers);
  // What was done ahead is gone, with its transaction.
  void ForgetAhead() { removed_ahead_.clear(); }

 private:
  enum class Ahead { kNothing, kRemoved };
  absl::Status WriteAll(const changes::TableChanges& table, const mapping::TableWrite& write,
                        Inserts inserts, Ahead before);
  absl::Status WriteAllStaged(const mapping::TableWrite& write);
  absl::Status TakeOutAll(const mapping::TableWrite& write);
  absl::Status ClearNow(const mapping::TableWrite& write);
  Gone GoneOf(mapping::MappingIndex late) const { return late.valid() ? Gone::kLate : Gone::kNow; }
  // As OrderedWriter::LateMapping.
  mapping::MappingIndex Late(const mapping::TableWrite& write) const;
  // Where actions of foreign keys would reach other rows, these are spared, but for those of rows
  // that `remove` says go for good.
  absl::Status TakeOutSafely(mapping::MappingIndex mapping, const std::string& remove,
                             absl::FunctionRef<absl::Status()> take_out);
  absl::Status CheckHeld(mapping::MappingIndex mapping);
  absl::Status FindChanges(mapping::MappingIndex mapping, Readers readers);
  absl::Status WriteComputed(mapping::MappingIndex mapping, Manner manner);
  absl::Status PutBack(const mapping::TableWrite& write);

  // Null: the foreign keys are silent.
  static const std::unique_ptr<OrderedWriter>& Silent();

  Stage& stage_;
  const std::unique_ptr<OrderedWriter>& ordered_;
  BeforeImages* before_ = nullptr;
  // Written ahead, with the rows that were to be changed and were not there then.
  std::map<const mapping::TableWrite*, int64_t> removed_ahead_;
};

}  // namespace switchyard::replayer
