// Rows the target refuses: found by bisection, kept in switchyard.quarantine with their newest
// state, tried again at every later change of the same row and on request.
//
// All methods run inside the caller's transaction, with everything staged (no direct inserts).
// Thread-compatible.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "replayer/table_writer.h"

namespace switchyard::replayer {

struct QuarantineOptions {
  std::string stream;
  int64_t entries_max = 1000;
};

// The mapping as switchyard.quarantine.target names it: several may fill one table, each the rows
// it owns, under keys that are alike.
std::string QuarantineTarget(const mapping::MappingPlan& mapping);

class Quarantine {
 public:
  Quarantine(TableWriter& writer, QuarantineOptions options);

  // Reads which mappings have entries; after Open and after every rollback.
  absl::Status Load();
  // Whether the mapping has entries, so that its rows must go the careful way.
  bool active(int mapping) const { return active_.contains(mapping); }

  // With false, a row or scope that is refused is no entry: its refusal is returned. Inside a batch
  // that will be tried in another way.
  void set_stores(bool stores) { stores_ = stores; }

  // Called with the stage of an entry, before and after it is written: what reads the table of
  // NEW is touched then.
  using Feed = absl::FunctionRef<absl::Status(bool before)>;

  // The stage of a row-local mapping into its table. What the table refuses becomes an entry, the
  // rest is written. FailedPrecondition when there are more than entries_max.
  absl::Status WriteCarefully(const TableChanges& table, int mapping, Lsn lsn, Feed feed);

  // The touched scopes of a keyed mapping, likewise.
  absl::Status RecomputeCarefully(int mapping, Lsn lsn, absl::FunctionRef<absl::Status()> readers);

  // Undoes what `body` did when it fails, and returns its status.
  absl::Status InSavepoint(absl::FunctionRef<absl::Status()> body);

  struct RetryResult {
    int64_t applied = 0;
    int64_t left = 0;
  };
  // Applies the folded state of every entry of the mapping, or of the one with this id (> 0).
  // Leaves nothing in the mapping's own temporary tables.
  absl::StatusOr<RetryResult> Retry(int64_t id, int mapping, Feed feed);

 private:
  using Refusal = RefusedNumber;  // sy__ord, or the scope's number, from 0

  absl::Status HoldStage(int source);
  absl::Status RestoreStage(int source);
  absl::Status TakeHeld(int source, const std::string& condition);
  absl::Status WriteOrExchange(const mapping::TableWrite& write);
  absl::Status FoldKnown(int source, int mapping, Lsn lsn, Feed feed);
  absl::StatusOr<std::vector<Refusal>> TakeBarred(int source, int mapping);
  absl::StatusOr<std::vector<Refusal>> WriteOrBisect(const TableChanges& table, int mapping);
  absl::StatusOr<std::vector<Refusal>> RecomputeOrBisect(
      int mapping, absl::FunctionRef<absl::Status()> readers);
  absl::Status ForgetScopes(int mapping, const std::vector<Refusal>& refusals);
  absl::Status StoreRow(int source, int mapping, Lsn lsn, const Refusal& refusal);
  absl::Status StoreScope(int mapping, Lsn lsn, const Refusal& refusal);
  // Applies one entry; true when the table took it and the entry is gone.
  absl::StatusOr<bool> TryEntry(int64_t id, int source, int mapping, Feed feed);
  absl::StatusOr<bool> TryScope(int64_t id, int mapping);
  absl::Status CheckBound();

  TableWriter& writer_;
  const QuarantineOptions options_;
  std::set<int> active_;
  bool stores_ = true;
};

}  // namespace switchyard::replayer
