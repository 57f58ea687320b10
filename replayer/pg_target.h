// The target database: applies batches through a compiled mapping, exactly once.
//
// Every transaction begins by moving the stream's row in switchyard.stream from the position this
// object knows. When it stands elsewhere (another replayer, or a server that crashed and lost its
// last asynchronous commits) nothing is applied and Apply returns Aborted: Close, Open, and read
// the log from the position found.
//
// Thread-compatible. `plan` and `cancel` must outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/cancel.h"
#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "proto/event.pb.h"
#include "replayer/batch.h"
#include "replayer/batcher.h"
#include "replayer/ordered_writer.h"
#include "replayer/quarantine.h"
#include "replayer/table_writer.h"

namespace switchyard::replayer {

struct PgTargetOptions {
  std::string dsn;
  std::string stream;
  // session_replication_role = replica: the target's triggers and foreign keys stay silent. Needs
  // GRANT SET ON PARAMETER session_replication_role (Postgres 15), or a superuser. A role without
  // writes in foreign-key order (ordered_writer.h).
  bool replica_role = true;
  // Off is safe (see above) and faster; on where somebody waits for what was applied.
  bool synchronous_commit = false;
  int64_t quarantine_max = 1000;
  int64_t scopes_per_recompute = 20'000;
};

// A session that holds the stream's lock until it ends: as a replayer's, or in place of one. Where
// allowed, triggers and foreign keys are silent in it; `silent`, unless null, tells.
// AlreadyExists: a replayer has it.
absl::StatusOr<std::unique_ptr<pg::Session>> OpenExclusively(const PgTargetOptions& options,
                                                             const Cancel& cancel,
                                                             bool* silent = nullptr);

// A row of switchyard.stream.
struct StreamState {
  std::string state;
  std::string stop_reason;
  Position position;
  int64_t copy_offset = 0;
  Lsn copy_lsn;
  std::optional<Lsn> hold_lsn;
  std::string fingerprint;
  std::string catalog;  // JSON
};

class PgTarget {
 public:
  PgTarget(PgTargetOptions options, const mapping::Plan& plan, const Cancel& cancel);
  ~PgTarget();

  // Connects, takes the stream's lock, makes the temporary tables and reads the position.
  // AlreadyExists: another replayer has the lock.
  absl::Status Open();
  void Close();
  // One more session like its own, without the lock.
  absl::StatusOr<std::unique_ptr<pg::Session>> OpenBeside() const;
  // After something else than Apply moved the stream's position on this session: the copy.
  absl::Status ReloadPosition();
  // Reads the target's foreign keys again, where they hold: schema steps may have made some.
  absl::Status LoadOrder();

  absl::StatusOr<StreamState> LoadState();
  // The Relation events kept with the position.
  absl::StatusOr<std::vector<event::v1::Relation>> LoadRelations();
  // LSN of the newest copy of each relation.
  absl::StatusOr<std::map<uint32_t, Lsn>> LoadCopyPoints();
  // Keeps a Relation event; inside the caller's transaction.
  absl::Status StoreRelation(uint32_t relation_id, const std::string& definition);
  absl::Status SetState(const std::string& state, const std::string& stop_reason = "");

  // One batch in one transaction; or one chunk, in the transaction that a later batch ends.
  // Aborted: the position moved or a hold was set; start over. A status for which IsRefusedRow
  // holds, when not `careful`: nothing was applied; start over with `careful`, which finds the rows
  // the target refuses and puts them in quarantine. Unknown: in doubt, start over.
  absl::Status Apply(const Batch& batch, bool careful);

  absl::StatusOr<Quarantine::RetryResult> RetryQuarantine(int64_t id);

  // Replaces the rows of one source by `swap`, which writes its mirror and row-local targets, and
  // recomputes everything derived from it: one transaction, at the position the stream has.
  absl::Status ReplaceSource(int source, absl::FunctionRef<absl::Status()> swap);
  // Derives these tables of the target (schema.name) anew, with what is derived from them. Scopes
  // that the target refuses go into quarantine.
  absl::Status RecomputeWhole(const std::vector<std::string>& tables);

  // Around the writes of every transaction: what NEW looks at, and when.
  absl::Status BeginWrites(bool careful);
  absl::Status FinishWrites();
  // In which order mappings are written; with an OrderedWriter where foreign keys hold.
  const std::vector<int>& order() const { return order_; }
  OrderedWriter* ordered() { return ordered_.get(); }

  // Whether everything applied so far has been flushed by the server: then the log before the
  // position that was current at the last call may be trimmed.
  absl::StatusOr<bool> FlushedUpTo(Lsn target_wal);
  absl::StatusOr<Lsn> TargetWalPosition();

  bool connected() const { return session_ != nullptr && session_->alive(); }
  pg::Session& session() { return *session_; }
  TableWriter& writer() { return *writer_; }
  const Position& position() const { return *position_; }
  // Chunks of a large transaction are in; its end is still to come.
  bool in_transaction() const { return in_transaction_; }

 private:
  absl::Status ApplyInTransaction(const Batch& batch, bool careful);
  absl::Status WriteMirror(const TableChanges& table, const mapping::TableWrite& mirror);
  absl::Status BeginChecked(const Batch& batch);
  absl::Status MovePosition(const Batch& batch);
  absl::Status WhyNotMoved();
  absl::Status StageAll(const Batch& batch, bool direct_allowed);
  absl::Status TouchSources(const Batch& batch, bool before);
  absl::Status TouchMapping(const Batch& batch, int mapping, bool before);
  absl::Status TouchWhole(int mapping);
  absl::Status TouchReadersOfSource(int source);
  absl::Status Rederive(bool careful, absl::FunctionRef<absl::Status()> change);
  absl::Status TouchReaders(int upstream, bool before, bool everything);
  absl::Status WriteRowLocal(const Batch& batch, int mapping, bool careful);
  absl::Status RecomputeMapping(const Batch& batch, int mapping, bool careful);
  absl::Status RecomputeInSlices(int mapping, int64_t scopes);
  absl::StatusOr<Quarantine::RetryResult> RetryInOrder(int64_t id, Lsn lsn);
  absl::Status StoreRelations(const Batch& batch);
  bool Direct(const TableChanges& table, bool careful) const;
  absl::Status RemoveFirst(const Batch& batch, bool careful);

  const PgTargetOptions options_;
  const mapping::Plan& plan_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<TableWriter> writer_;
  std::unique_ptr<OrderedWriter> ordered_;  // null: foreign keys are silent
  bool silent_ = false;
  std::vector<int> order_;  // of the mappings
  std::unique_ptr<Quarantine> quarantine_;
  std::optional<Position> position_;  // as committed
  bool in_transaction_ = false;       // chunks of a large transaction are in
  std::set<int> touched_;             // keyed mappings with scopes to recompute
};

}  // namespace switchyard::replayer
