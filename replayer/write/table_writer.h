// Runs a plan's statements on a session: stages changes, writes row-local mappings and mirrors,
// recomputes touched scopes. Knows nothing of positions or transactions.
//
// Thread-compatible; the session and the plan must outlive it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {

class OrderedWriter;

// A stage has the types that the source had when the mapping was compiled, so it reads every value
// unless one of them changed: a refusal there is no fault of the row.
absl::Status AsTypeChange(const absl::Status& status, const mapping::SourcePlan& source);
bool IsTypeChange(const absl::Status& status);

// Of one source, in one table of the target or the mirror.
struct MissedRows {
  int source = 0;
  std::string table;
  int64_t rows = 0;
};

class TableWriter {
 public:
  TableWriter(pg::Session& session, const mapping::Plan& plan);

  // Where the target's foreign keys hold; must outlive the writer's use. Null: they are silent.
  void set_ordered(OrderedWriter* ordered) { ordered_ = ordered; }
  OrderedWriter* ordered() const { return ordered_; }

  // Makes the session's temporary tables.
  absl::Status CreateTemporaryTables();

  // Loads the changes of one source into its stage (what `direct` tells is left for CopyInserts).
  absl::Status Stage(const changes::TableChanges& table, bool direct);
  // Once all are staged: a large batch meets no plan that was made when its tables were small.
  absl::Status PlanForManyRows();
  // After many rows were written otherwise.
  absl::Status PlanAnew();
  // Empties it again within the transaction, for the next chunk.
  absl::Status ClearStage(int source);
  // True when the inserts of this source go straight into its targets, unstaged.
  bool inserts_go_direct(int source) const { return direct_[source]; }

  // Rows of op P get their ids and leave the stage. Before the mirror takes the batch.
  absl::Status AllotPassed(const changes::TableChanges& table);
  // Runs one of its statements by `run`. FailedPrecondition: a row has no id, or that of another.
  absl::Status Allot(const mapping::IdAllotment& ids, const std::string& sql,
                     absl::FunctionRef<absl::Status(const std::string& sql)> run);
  absl::Status Allot(const mapping::IdAllotment& ids, const std::string& sql);

  // The four kinds of change from the stage into one table; inserts straight by COPY if `direct`.
  absl::Status Write(const changes::TableChanges& table, const mapping::TableWrite& write,
                     bool direct);
  // Ahead of Write, which does the rest: rows that go are deleted; where keys change, those that
  // change are taken out.
  absl::Status RemoveAhead(const changes::TableChanges& table, const mapping::TableWrite& write);
  // The same into a table that has the source's rows and key: a mirror, the side of a re-copy.
  absl::Status WriteMirror(const changes::TableChanges& table, const mapping::TableWrite& mirror);
  // Everything owned goes (TRUNCATE of the source).
  absl::Status Clear(const mapping::TableWrite& write);
  // Its parts, for an OrderedWriter.
  absl::Status Remove(const changes::TableChanges& table, const mapping::TableWrite& write);
  absl::Status Update(const changes::TableChanges& table, const mapping::TableWrite& write);
  absl::Status CopyInserts(const changes::TableChanges& table, const mapping::TableWrite& write);
  // A statement that should touch `expected` rows of a source; the others were not there.
  absl::Status RunCounted(const std::string& sql, int64_t expected, int source,
                          const mapping::TableWrite& write);
  // Counts what is not there with one of the TableWrite's queries for it.
  absl::Status CountMissing(const std::string& query, int source, const mapping::TableWrite& write);
  void AddMissing(int64_t rows, int source, const mapping::TableWrite& write);
  // The same for whatever the stage holds, without knowing how much of each kind.
  absl::Status WriteStaged(const mapping::TableWrite& write);
  // The same effect where rows hand unique values to each other. Everything must be staged.
  absl::Status Exchange(const mapping::TableWrite& write);
  // Its second step: what was taken out becomes as the stage has it.
  absl::Status ChangeTaken(const mapping::TableWrite& write);

  // Scopes of keyed mapping `mapping` touched by the rows of a source, before or after the change.
  absl::Status Touch(int mapping, const mapping::TouchRule& rule, bool before, bool everything);
  // Every scope that the mapping's target holds.
  absl::Status TouchOwn(int mapping);

  // What the rows that a mapping changes touch in others, which read its table: told before they
  // are written (`before`), and after, when they see each other.
  using Readers = absl::FunctionRef<absl::Status(bool before)>;
  // Recomputes the scopes in the mapping's touched table. With `exchange`, for unique values handed
  // over.
  absl::Status Recompute(int mapping, bool exchange, Readers readers);
  // Of it only what removes rows.
  absl::Status RemoveVanished(int mapping, Readers readers);
  // Its first step: the touched scopes' rows as they should be. IsRefusedRow: two have one key.
  absl::Status Compute(int mapping);
  absl::Status CleanRecompute(int mapping);
  // The same where many rows may have been: what was deleted would be read again by every slice.
  absl::Status NextSlice(int mapping);
  // Somebody else writes to the stage of this source, or to this temporary table.
  void UseStage(int source);
  void UseTable(const std::string& temporary) { used_.insert(temporary); }
  // What was done ahead is gone, with its transaction.
  void ForgetAhead() { removed_ahead_.clear(); }
  // Empties the temporary tables used since the last call. Before every commit.
  absl::Status EmptyUsed();

  // Prepared; the empty text is no statement.
  absl::Status Run(const std::string& sql, const std::vector<pg::Param>& params = {});
  // Rows that were to be changed and were not there, since the last call.
  std::vector<MissedRows> TakeMissed();
  pg::Session& session() { return session_; }
  const mapping::Plan& plan() const { return plan_; }

 private:
  // As OrderedWriter::LateMapping.
  int Late(const mapping::TableWrite& write) const;
  // Where actions of foreign keys would reach other rows, these are spared, but for those of rows
  // that `remove` says go for good.
  absl::Status TakeOut(int mapping, const std::string& remove,
                       absl::FunctionRef<absl::Status()> exchange);
  absl::Status CheckHeld(int mapping);
  absl::Status FindChanges(int mapping, Readers readers);
  absl::Status WriteComputed(int mapping, bool exchange);
  absl::Status PutBack(const mapping::TableWrite& write);
  void AppendStageLine(const mapping::SourcePlan& source, const changes::Change& change, int ord);
  absl::Status SendBuffer(bool at_least_some);

  pg::Session& session_;
  const mapping::Plan& plan_;
  std::vector<bool> direct_;
  std::string buffer_;
  void UseMapping(int mapping);

  OrderedWriter* ordered_ = nullptr;
  std::map<std::pair<int, std::string>, int64_t> missed_;  // by source and table
  std::set<std::string> used_;                             // temporary tables, in this transaction
  std::set<const mapping::TableWrite*> removed_ahead_;
  int64_t staged_rows_ = 0;  // in this transaction
  int64_t rows_since_planned_ = 0;
  // Rows deleted from a temporary table since it was last truncated: they still take space.
  absl::flat_hash_map<std::string, int64_t> dirty_;
};

}  // namespace switchyard::replayer
