// The target database: applies batches through a compiled mapping, exactly once.
//
// Every transaction passes the gate (common/records/mark.h), then moves or locks the stream's row
// in the stream's row at the position this object knows. When the gate is closed or the stream
// stands elsewhere (another replayer, a server that crashed and lost its last asynchronous commits,
// or ownership moved) nothing is applied and Aborted comes back: Close, Open, and read the log from
// the position found.
//
// Thread-compatible. `plan` and `cancel` must outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/changes/batch.h"
#include "common/mapping/install/target_shape.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "common/records/breaches.h"
#include "common/records/mark.h"
#include "common/records/stream/stream_store.h"
#include "replayer/target/pg_before_images.h"
#include "replayer/target/quarantine/quarantine.h"
#include "replayer/target/target_session.h"
#include "replayer/write/ordered_writer.h"
#include "replayer/write/table_writer.h"
#include "replayer/write/touched_scopes.h"

namespace switchyard::replayer {

class PgTarget {
 public:
  PgTarget(PgTargetOptions options, const mapping::Plan& plan, const Cancel& cancel);
  ~PgTarget();

  // Connects, takes the stream's lock and reads the position.
  // AlreadyExists: another replayer has the lock.
  absl::Status Open();
  void Close();
  // One more session like its own, without the lock.
  absl::StatusOr<std::unique_ptr<pg::Session>> OpenBeside() const;
  // After something else than Apply moved the stream's position or filled the quarantine: the copy.
  absl::Status ReloadPosition();
  // Reads the target's foreign keys again, where they hold: schema steps may have made some.
  absl::Status LoadOrder();

  // One batch in one transaction; or one chunk, in the transaction that a later batch ends.
  // Aborted: the position moved or a hold was set; start over. A status for which IsRefusedRow
  // holds, of Care::kNone: nothing was applied; start over with kCareful, which finds the rows
  // the target refuses and puts them in quarantine. Unknown: in doubt, start over.
  absl::Status Apply(const changes::Batch& batch, Care care);

  absl::StatusOr<Quarantine::RetryResult> RetryQuarantine(int64_t id);
  // The change of a breach, as if it were the application's, by the stream's position. What the
  // target refuses of it is parked. FailedPrecondition: nothing was done, with the reason.
  absl::Status ApplyBreach(int64_t id);
  // Some of the entries that a foreign key refused, where what was applied or tried again since may
  // let them pass; the others in calls to come.
  absl::Status RetryWaiting();

  // Replaces the rows of some sources by `swap`, which writes their mirrors and row-local targets,
  // and recomputes everything derived from them, and the tables `also` (schema.name): one
  // transaction, at the position the stream has.
  absl::Status ReplaceSources(const std::vector<mapping::SourceIndex>& sources,
                              const std::vector<std::string>& also,
                              absl::FunctionRef<absl::Status()> swap);
  // Derives these tables of the target (schema.name) anew, with what is derived from them. Scopes
  // that the target refuses go into quarantine.
  absl::Status RecomputeWhole(const std::vector<std::string>& tables);

  // From here to EndRollForward Apply derives nothing, and writes what it has for these row-local
  // mappings by the TableWrite given. Ends with the session.
  absl::Status BeginRollForward(std::map<mapping::MappingIndex, mapping::TableWrite> held);
  void EndRollForward();
  // The end of the initial copy, in one transaction at the stream's position: tries the quarantine
  // again, fills each row-local mapping in `held` from the table given there (quoted, with rows of
  // its source), derives the others whole, and ends with `finish`. `filled` follows each mapping.
  // What the target refuses goes into quarantine. Of a plan that is Plan::mirror_only only `finish`
  // is run; likewise nothing is derived by the two above.
  absl::Status FillAll(const std::map<mapping::MappingIndex, std::string>& held,
                       absl::FunctionRef<absl::Status(mapping::MappingIndex mapping)> filled,
                       absl::FunctionRef<absl::Status()> finish);

  // Around the writes of every transaction: what NEW looks at, and when.
  absl::Status BeginWrites(Care care);
  absl::Status FinishWrites();
  // FailedPrecondition: tables of NEW are not as they were at the first Open. Outside transactions.
  absl::Status CheckShape();
  // In which order mappings are written; with an OrderedWriter where foreign keys hold.
  const std::vector<mapping::MappingIndex>& order() const { return order_; }
  OrderedWriter* ordered() { return ordered_.get(); }

  // Whether everything applied so far has been flushed by the server: then the log before the
  // position that was current at the last call may be trimmed.
  absl::StatusOr<bool> FlushedUpTo(Lsn target_wal);
  absl::StatusOr<Lsn> TargetWalPosition();

  bool connected() const { return session_ != nullptr && session_->alive(); }
  pg::Session& session() { return *session_; }
  records::StreamStore& stream() { return *stream_; }
  records::Gate& gate() { return *gate_; }
  TableWriter& writer() { return *writer_; }
  QuarantineOptions quarantine_options() const;
  const records::Position& position() const { return *position_; }
  bool source_owns() const { return source_owns_; }
  // What is copied, derived anew or tried again reaches the mirror alone: the target's rows are not
  // this stream's to fill, by its plan, or because the source does not own at the position.
  bool mirror_only() const { return plan_.mirror_only || !source_owns_; }
  // Chunks of a large transaction are in; its end is still to come.
  bool in_transaction() const { return in_transaction_; }

 private:
  absl::Status MakeTables(const changes::Batch& batch);
  absl::Status MakeAllTables();
  absl::Status ApplyInTransaction(const changes::Batch& batch, Care care);
  absl::Status WriteChanges(const changes::Batch& batch, Care care);
  absl::Status TakeOutOfMirror(const records::Breach& breach, const changes::Batch& back);
  absl::Status ApplyToMirror(const changes::Batch& batch);
  absl::Status NoteProgress(const changes::Batch& batch);
  absl::Status StoreSeen(const changes::Batch& batch);
  absl::Status ClearStages(const changes::Batch& batch);
  absl::Status CommitAt(const changes::Batch& batch);
  absl::Status BeginChecked(const char* writer, const changes::Batch& batch);
  // Pairs that the batch brought (pairs.h).
  absl::Status TakePairsOf(const changes::Batch& batch);
  // Keeps, in the batch's transaction, what was to be changed and was not there.
  absl::Status StoreMissed(const changes::Batch& batch);
  absl::Status StageAll(const changes::Batch& batch, Care care);
  absl::Status Rederive(const char* writer, Care care, absl::FunctionRef<absl::Status()> change);
  absl::Status WriteRowLocal(const changes::Batch& batch, mapping::MappingIndex mapping, Care care);
  absl::Status RecomputeMapping(const changes::Batch& batch, mapping::MappingIndex mapping,
                                Care care);
  // The touched scopes piece by piece, each in the touched table while `body` runs.
  absl::Status InSlices(mapping::MappingIndex mapping, absl::FunctionRef<absl::Status()> body);
  absl::Status RecomputeInSlices(mapping::MappingIndex mapping, Lsn lsn,
                                 TableWriter::Readers readers);
  bool Shared(mapping::MappingIndex mapping) const;  // its table with other mappings
  absl::Status MakeRoom(const changes::Batch& batch);
  absl::Status MakeRoomCarefully(const changes::Batch& batch);
  absl::Status RemoveVanished(mapping::MappingIndex mapping);
  absl::Status RetryClashes(const changes::Batch& batch);
  std::set<mapping::MappingIndex> EveryMapping() const;
  std::set<mapping::MappingIndex> WrittenBy(const changes::Batch& batch) const;
  // As CheckHindrances.
  absl::Status CheckUnhindered(const std::set<mapping::MappingIndex>& written);
  void NoteRelatedRows(const std::set<mapping::MappingIndex>& written);
  absl::StatusOr<Quarantine::RetryResult> RetryInOrder(int64_t id, Lsn lsn);
  absl::StatusOr<int64_t> RetryTogether();
  absl::Status RetryUntilNoneGoes();
  absl::Status WriteHeld(const changes::Batch& batch);
  absl::Status ApplyOnce(const changes::Batch& batch, Care care);
  absl::Status CheckNamesOf(const absl::Status& failed);
  absl::StatusOr<bool> SettleLateRefusals(const absl::Status& status);
  Inserts InsertsOf(const changes::TableChanges& table, Care care) const;
  absl::Status NoteMissing(const changes::Batch& batch, Care care);
  absl::Status RemoveEarly(const changes::Batch& batch, Care care);

  const PgTargetOptions options_;
  const mapping::Plan& plan_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<records::StreamStore> stream_;
  std::unique_ptr<records::Gate> gate_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<PgBeforeImages> before_images_;
  std::unique_ptr<TableWriter> writer_;
  std::unique_ptr<TouchedScopes> touched_;
  std::unique_ptr<OrderedWriter> ordered_;  // null: foreign keys are silent
  bool silent_ = false;
  std::string write_path_;                     // write_path.h
  std::optional<mapping::TargetShape> shape_;  // at the first Open, which follows the plan
  std::vector<mapping::MappingIndex> order_;
  std::unique_ptr<Quarantine> quarantine_;
  std::optional<records::Position> position_;  // as committed
  bool source_owns_ = true;                    // there
  bool rolls_forward_ = false;
  std::map<mapping::MappingIndex, mapping::TableWrite> held_;  // while it does
  bool in_transaction_ = false;    // chunks of a large transaction are in
  std::vector<BarredRow> barred_;  // in the transaction that is tried (late_refusals.h)
  Lsn barred_at_;                  // the position that transaction is tried from
};

}  // namespace switchyard::replayer
