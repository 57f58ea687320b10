// The temporary tables of a session that writes: staged changes, touched scopes and what is
// recomputed for them; and the single steps that work on them. What a whole table is written by
// stands above: TableWriter, and OrderedWriter where the target's foreign keys hold.
//
//   Stage stage(session, plan);
//   stage.MakeTablesOf(source, Stage::Place::kOutside);
//   stage.Load(changes, inserts); ...; stage.EmptyUsed();     // in each transaction
//
// Thread-compatible; the session and the plan must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/install/hindrances.h"
#include "common/mapping/plan.h"
#include "common/mapping/temporary_tables.h"
#include "common/pg/session.h"
#include "replayer/write/modes.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {

// A stage has the types that the source had when the mapping was compiled, so it reads every value
// unless one of them changed: a refusal there is no fault of the row.
absl::Status AsTypeChange(const absl::Status& status, const mapping::SourcePlan& source);
// The table, schema.name; empty where it is another status.
std::string TypeChangedIn(const absl::Status& status);

// Of one source, in one table of the target or the mirror.
struct MissedRows {
  mapping::SourceIndex source;
  std::string table;
  int64_t rows = 0;
};

// One for which IsRefusedRow holds, of a scope of this mapping.
absl::Status RefusedScope(const char* sqlstate, const mapping::MappingPlan& plan, const char* why);

class Stage {
 public:
  Stage(pg::Session& session, const mapping::Plan& plan);

  // Once the session is as it will write. FailedPrecondition: a rule changes what is written.
  absl::Status LookForHindrances();
  const mapping::Hindrances& hindrances() const { return hindrances_; }

  // Makes temporary tables, where they are not there yet: for changes of a source and all that is
  // recomputed after them; for entries of a mapping likewise; all there are. Each costs about a
  // millisecond, and as much again when the session ends, which keeps the lock of replay until the
  // last of them is gone: so a session has those of tables that changed. Within a transaction only
  // where it has begun already: they go with it when it is rolled back.
  enum class Place { kOutside, kWithin };
  absl::Status MakeTablesOf(mapping::SourceIndex source, Place place);
  absl::Status MakeTablesOf(mapping::MappingIndex mapping, Place place);
  absl::Status MakeAllTables();
  // Outside of a transaction: removes them where there are more than `kept`.
  absl::Status KeepFewTables(size_t kept);
  // Loads the changes of one source into its stage; direct inserts are left for CopyInserts.
  absl::Status Load(const changes::TableChanges& table, Inserts inserts);
  // Empties it again within the transaction, for the next chunk.
  absl::Status ClearStage(mapping::SourceIndex source);
  // True when the inserts of this source go straight into its targets, unstaged.
  bool inserts_go_direct(mapping::SourceIndex source) const { return direct_[source]; }

  // Once all are staged: a large batch meets no plan that was made when its tables were small.
  absl::Status PlanForManyRows();
  // After many rows were written otherwise.
  absl::Status PlanAnew();
  // For statements that join what a batch left here; the others look up by index.
  absl::Status PreferHashJoins();
  absl::Status PreferIndexes();

  // Marks what the updates of a staged batch leave as it was. Before the mirror takes it.
  absl::Status NoteStill(const changes::TableChanges& table);

  // Single steps of a TableWrite.
  absl::Status Remove(const changes::TableChanges& table, const mapping::TableWrite& write);
  absl::Status Update(const changes::TableChanges& table, const mapping::TableWrite& write);
  absl::Status CopyInserts(const changes::TableChanges& table, const mapping::TableWrite& write);
  // Second step of TableWrite::take_out: what was taken out becomes as the stage has it.
  absl::Status ChangeTaken(const mapping::TableWrite& write);
  // A statement that should touch `expected` rows of a source; the others were not there.
  absl::Status RunCounted(const std::string& sql, int64_t expected, mapping::SourceIndex source,
                          const mapping::TableWrite& write);
  // Counts what is not there with one of the TableWrite's queries for it.
  absl::Status CountMissing(const std::string& query, mapping::SourceIndex source,
                            const mapping::TableWrite& write);
  void AddMissing(int64_t rows, mapping::SourceIndex source, const mapping::TableWrite& write);
  // Rows that were to be changed and were not there, since the last call.
  std::vector<MissedRows> TakeMissed();

  // First step of a recompute: the touched scopes' rows as they should be. IsRefusedRow: two have
  // one key.
  absl::Status Compute(mapping::MappingIndex mapping);
  absl::Status CleanRecompute(mapping::MappingIndex mapping);
  // As CleanRecompute, where many rows may have been: what was deleted would be read again by every
  // slice.
  absl::Status NextSlice(mapping::MappingIndex mapping);

  // Somebody else writes to the stage of this source, or to this temporary table.
  void UseStage(mapping::SourceIndex source);
  void UseTable(const std::string& temporary) { used_.insert(temporary); }
  void UseMapping(mapping::MappingIndex mapping);
  // Empties the temporary tables used since the last call. Before every commit.
  absl::Status EmptyUsed();

  // Prepared; the empty text is no statement.
  absl::Status Run(const std::string& sql, const std::vector<pg::Param>& params = {});
  pg::Session& session() { return session_; }
  const mapping::Plan& plan() const { return plan_; }

 private:
  // The temporary tables of one source or one mapping, which are made together.
  struct Lot {
    mapping::TemporaryTables tables;
    enum class State { kMissing, kMade, kUnsure } state = State::kMissing;
  };
  using Lots = std::vector<size_t>;  // indices into lots_
  void GatherLots();
  absl::Status MakeTables(const Lots& lots, Place place);
  absl::Status ExecuteInPortions(const std::vector<std::string>& ddl);

  void AppendStageLine(const mapping::SourcePlan& source, const changes::Change& change, int ord);
  absl::Status SendFullBuffer();
  absl::Status SendBuffer();
  absl::StatusOr<bool> EmptyByRow(const std::string& table);

  pg::Session& session_;
  const mapping::Plan& plan_;
  mapping::Hindrances hindrances_;
  std::vector<bool> direct_;
  std::vector<Lot> lots_;        // of the sources, then of the mappings
  std::vector<Lots> of_source_;  // what changes of it need
  std::vector<Lots> of_mapping_;
  std::string buffer_;
  std::map<std::pair<mapping::SourceIndex, std::string>, int64_t> missed_;  // by source and table
  std::set<std::string> used_;  // temporary tables, in this transaction
  int64_t staged_rows_ = 0;     // in this transaction
  int64_t rows_since_planned_ = 0;
  // Rows deleted from a temporary table since it was last truncated: they still take space.
  absl::flat_hash_map<std::string, int64_t> dirty_;
};

}  // namespace switchyard::replayer
