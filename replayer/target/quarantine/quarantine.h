// Rows the target refuses: found by bisection, kept with their newest state
// (records/quarantine_entries.h), tried again at every later change of the same row and on request.
//
// All methods run inside the caller's transaction, with everything staged (no direct inserts).
// Thread-compatible.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/pg/error.h"
#include "common/records/quarantine_entries.h"
#include "replayer/write/refusals.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

struct QuarantineOptions {
  std::string stream;
  int64_t entries_max = 1000;
  int64_t scopes_per_recompute = 20'000;
  mapping::Sensitive sensitive;  // what of an error is stored
};

class Quarantine {
 public:
  Quarantine(TableWriter& writer, QuarantineOptions options);

  // Reads which mappings have entries; after Open and after every rollback.
  absl::Status Load();
  // Whether the mapping has entries, so that its rows must go the careful way.
  bool active(mapping::MappingIndex mapping) const { return active_.contains(mapping); }
  bool empty() const { return active_.empty(); }
  // After a commit: mappings whose last entry went in it are no longer active.
  absl::Status Committed();

  // Whether other rows stood in the way of some that were refused in this transaction.
  bool clashed() const { return clashed_; }
  // FailedPrecondition: there are more than entries_max entries. Before every commit.
  absl::Status CheckBound();

  // With false, a row or scope that is refused is no entry: its refusal is returned. Inside a batch
  // that will be tried in another way.
  void set_stores(bool stores) { stores_ = stores; }

  // While a copy is not whole, rows that another one stands in the way of, or that wait for one,
  // may still pass: up to a hundred times entries_max of them are kept.
  // Afterwards those of the copy count.
  void set_copying(bool copying) {
    entries_came_ |= copying_ && !copying;
    copying_ = copying;
  }

  // Called with the stage of an entry, before and after it is written: what reads the table of
  // NEW is touched then.
  using Feed = absl::FunctionRef<absl::Status(Moment moment)>;

  // Before any row of the batch goes: which staged rows WriteCarefully will not find in the table.
  absl::Status NoteMissing(mapping::MappingIndex mapping);

  // The stage of a row-local mapping into its table. What the table refuses becomes an entry, the
  // rest is written.
  absl::Status WriteCarefully(const changes::TableChanges& table, mapping::MappingIndex mapping,
                              Lsn lsn, Feed feed);

  // The touched scopes of a keyed mapping, likewise; not more than scopes_per_recompute at once.
  absl::Status RecomputeCarefully(mapping::MappingIndex mapping, Lsn lsn,
                                  TableWriter::Readers readers);

  // Undoes what `body` did when it fails, and returns its status.
  absl::Status InSavepoint(absl::FunctionRef<absl::Status()> body);

  struct RetryResult {
    int64_t applied = 0;
    int64_t left = 0;
  };
  // Applies the folded state of every entry of the mapping (id 0), of the one with this id, of
  // those that another row stood in the way of (kClashes), or of the next ones that a foreign key
  // refused (kWaiting; NextWaiting). Leaves nothing in the mapping's own temporary tables.
  static constexpr int64_t kClashes = -1;
  static constexpr int64_t kWaiting = -2;
  // Which of the clashes are tried next: all, where some are of this transaction; else some of each
  // mapping, in turn, and once those are through all of them at once, for they may be each other's.
  absl::Status NextClashes();
  absl::StatusOr<RetryResult> Retry(int64_t id, mapping::MappingIndex mapping, Feed feed);
  // The clashes of several row-local mappings of one table, all at once: they may be each other's.
  // How many went through.
  absl::StatusOr<int64_t> RetryTogether(
      const std::vector<mapping::MappingIndex>& mappings,
      absl::FunctionRef<absl::Status(mapping::MappingIndex mapping, Moment moment)> feed);

  // Rows were written which those that a foreign key refused may wait for. From then on NextWaiting
  // goes through these entries, of all mappings side by side, for they may wait for each other;
  // some at a time, so that however many there are they hold up nothing.
  void WalkThroughWaiting();
  // Outside a transaction. Whether there are some to be tried (kWaiting).
  absl::StatusOr<bool> NextWaiting();
  void WaitingTried();

 private:
  records::QuarantineEntries entries() { return {stage_.session(), options_.stream}; }
  std::string TargetOf(mapping::MappingIndex mapping) const {
    return QuarantineTarget(stage_.plan().mappings[mapping]);
  }

  // What may be stored of it.
  pg::ErrorFields FieldsOf(mapping::MappingIndex mapping, const absl::Status& refusal) const;

  // What `body` gives; whatever it did is undone.
  absl::Status TryAndUndo(absl::FunctionRef<absl::Status()> body);

  // The stage of a source to and from a temporary table.
  absl::Status SaveStage(mapping::SourceIndex source, const std::string& saved);
  absl::Status RestoreStage(mapping::SourceIndex source, const std::string& saved,
                            const std::string& condition);
  absl::StatusOr<Numbers> StagedNumbers(mapping::SourceIndex source);

  absl::Status WriteOrTakeOut(const mapping::TableWrite& write);
  // Rows of what was saved into the mapping's table; those it refuses.
  absl::StatusOr<std::vector<Refusal>> WriteRows(mapping::SourceIndex source,
                                                 mapping::MappingIndex mapping,
                                                 const std::string& saved, const Numbers& rows);
  absl::StatusOr<std::vector<Refusal>> TakeBarred(mapping::SourceIndex source,
                                                  mapping::MappingIndex mapping);
  absl::StatusOr<std::vector<Refusal>> RecomputeOrBisect(mapping::MappingIndex mapping,
                                                         TableWriter::Readers readers);
  records::ScopesSql Scopes(mapping::MappingIndex mapping, const std::string& condition) const;
  absl::Status ForgetScopes(mapping::MappingIndex mapping, const std::vector<Refusal>& refusals);
  absl::Status StoreRow(mapping::SourceIndex source, mapping::MappingIndex mapping, Lsn lsn,
                        const Refusal& refusal);

  void CountMissing(mapping::SourceIndex source, mapping::MappingIndex mapping,
                    const Numbers& rows);
  // Changes of rows that have entries, out of the stage into those; their ids.
  absl::StatusOr<std::vector<int64_t>> FoldKnown(mapping::SourceIndex source,
                                                 mapping::MappingIndex mapping, Lsn lsn);
  absl::Status StageEntry(int64_t id, int64_t number, mapping::SourceIndex source);
  // Applies entries; those that the table takes are gone. How many are left.
  absl::StatusOr<int64_t> WriteEntries(const std::vector<int64_t>& ids, mapping::SourceIndex source,
                                       mapping::MappingIndex mapping, Missing missing, Feed feed);

  // Scopes of the mapping's slice table, by number, or that of an entry, to be recomputed.
  absl::Status TouchScopes(mapping::MappingIndex mapping, const Numbers& scopes);
  absl::Status TouchEntry(int64_t id, mapping::MappingIndex mapping);
  absl::Status StoreScope(mapping::MappingIndex mapping, Lsn lsn, const Refusal& refusal);
  // Of a scope of a patched mapping that has an entry, by its number: what it was, what it is to
  // be, what the target has.
  absl::Status KeepImages(mapping::MappingIndex mapping, int64_t scope);
  absl::StatusOr<std::vector<int64_t>> EntriesOf(int64_t id, mapping::MappingIndex mapping);
  // Stages the entries, under these numbers and up; those that can be staged.
  absl::StatusOr<Numbers> StageEntries(const std::vector<int64_t>& ids, int64_t first,
                                       mapping::SourceIndex source);
  absl::Status Forget(int64_t id);
  absl::Status CheckCount(int64_t entries_max);

  // A walk through the entries of a mapping that a foreign key refused, or another row.
  struct Walk {
    int64_t after = 0;         // the last one tried
    std::vector<int64_t> ids;  // those to be tried now
  };
  using Walks = std::map<mapping::MappingIndex, Walk>;
  absl::StatusOr<std::vector<int64_t>> StillThere(const Walks& walks,
                                                  mapping::MappingIndex mapping);
  // Whether there are any.
  absl::StatusOr<bool> LoadWaiting(int64_t limit);

  TableWriter& writer_;
  Stage& stage_;
  const QuarantineOptions options_;
  std::set<mapping::MappingIndex> active_;
  std::map<mapping::MappingIndex, std::set<int64_t>> missing_;
  bool entries_went_ = false;  // since the last Load
  bool entries_came_ = false;  // likewise
  bool clashed_ = false;
  Walks clashes_;
  Walks walks_;
  int pages_ = 0;            // of walks_, tried since its beginning
  bool together_ = false;    // those of all pages are being tried at once
  bool walk_again_ = false;  // from the beginning, once all of them are through
  bool stores_ = true;
  bool copying_ = false;
};

}  // namespace switchyard::replayer
