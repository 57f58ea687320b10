// The fence of one side, in its Postgres: what deploy/sql/fence.sql made there, driven under the
// rows of records/cutover/ownership.h.
//
//   PgFence fence({.side = Side::kOld, .migration = "shop", .session = {.dsn = dsn},
//                  .tables = {"public.orders"}, .told = "its data is in NEW (db2/shop)"}, cancel);
//   RETURN_IF_ERROR(fence.Lock({}));              // writers wait
//   RETURN_IF_ERROR(fence.Close(decision, limit)); // and are refused
//
// Two sessions: that of the locks, whose transaction lasts from Lock() to Close() or Release(),
// over libpq; and one of the control plane for all else. If the process dies, the server ends the
// first (it is told to look whether its client is there, and how long it may idle), and the side is
// as before.
//
// Thread-compatible. The Cancel must outlive it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/pg/session.h"
#include "cutover/ports.h"
#include "cutover/postgres/control_link.h"

namespace switchyard::cutover {

struct PgFenceOptions {
  Side side = Side::kOld;
  std::string migration;
  pg::SessionOptions session;       // of its database
  std::vector<std::string> tables;  // mapped ones, each as a statement names it: "public"."orders"
  std::string told;                 // whoever is refused once it is closed: where the data is now
  // The server ends the transaction of the locks after so long without a word of this process.
  absl::Duration hold_max = absl::Seconds(5);
};

class PgFence : public Fence {
 public:
  PgFence(PgFenceOptions options, const Cancel& cancel)
      : options_(std::move(options)), cancel_(cancel), control_(options_.session, cancel) {}

  absl::Status Lock(const LockOptions& options) override;
  absl::StatusOr<std::vector<Holder>> Holders(absl::Duration limit) override;
  void Release() override;
  absl::Status Close(const Decision& decision, absl::Duration limit) override;
  absl::Status Open(const Decision& decision, absl::Duration limit) override;
  absl::Status Unload(absl::Duration limit) override;

  // NEW before the first cutover: closed to its application under the epoch that its writers have,
  // as OLD owns. Aborted: NEW owns. Right to call again. Triggers of rows are then taken from
  // whoever writes in session_replication_role = replica.
  absl::Status CloseUnowned(const LockOptions& options, absl::Duration limit);

 private:
  // Of one try, locks held; rolled back unless OK.
  absl::Status TryLock(const LockOptions& options, absl::Duration lock_timeout);
  absl::Status BeginTry(absl::Duration lock_timeout);
  // Within the transaction of the locks.
  absl::Status CloseHeld(const Decision& decision, absl::Duration limit);
  absl::Status MoveClosedRow(const Decision& decision);
  // The end of it: OK, or Unknown.
  absl::Status CommitHeld(absl::Duration limit);
  absl::Status Moved(pg::ControlTransaction& tx, const Decision& decision, bool* opens);

  const PgFenceOptions options_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> held_;  // in a transaction; null: nothing is held
  ControlLink control_;
};

}  // namespace switchyard::cutover
