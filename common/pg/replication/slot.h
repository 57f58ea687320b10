// Logical replication slots: creating one with the snapshot that belongs to it, and dropping it.
//
//   ASSIGN_OR_RETURN(auto made, CreateLogicalSlot({.dsn = dsn, .slot = "shop_forward"}, cancel));
//   // SET TRANSACTION SNAPSHOT made->snapshot() in other sessions, while `made` lives;
//   // that snapshot holds the commits below made->consistent_point().
//
// Creation waits for every transaction that was writing when it began; one forgotten prepared
// transaction blocks it for ever. So it is given up after a time, and the error names the pids and
// gids to look at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/connection_string.h"
#include "common/pg/session.h"

namespace switchyard::pg {

// A transaction that slot creation would wait for.
struct SlotBlocker {
  int pid = 0;      // 0: a prepared transaction
  std::string gid;  // of a prepared transaction
  std::string database;
  std::string application_name;  // "" where the role may not see it
  absl::Duration age;            // zero where the role may not see it
  std::string ToString() const;  // "pid 412 (psql, database shop, open for 5m0s)"
};
// Transactions that have written and are open for at least `age`, and all prepared ones that are
// at least that old, oldest first. `session` is an ordinary one.
absl::StatusOr<std::vector<SlotBlocker>> FindSlotBlockers(Session& session, absl::Duration age);

struct SlotOptions {
  ConnectionString dsn;
  std::string application_name;
  std::string slot;
  bool temporary = false;                      // dropped with the object returned
  bool failover = false;                       // standbys may keep it; since Postgres 17
  absl::Duration timeout = absl::Seconds(10);  // for the creation, once connected
  absl::Duration connect_timeout = absl::Seconds(10);
};

// A slot just made, and the connection that keeps its snapshot (and a temporary slot) alive.
// Thread-compatible.
class CreatedSlot {
 public:
  CreatedSlot(std::unique_ptr<Session> session, Lsn consistent_point, std::string snapshot)
      : session_(std::move(session)),
        consistent_point_(consistent_point),
        snapshot_(std::move(snapshot)) {}

  // Commits with a commit LSN below it are in the snapshot, all others come through the slot.
  Lsn consistent_point() const { return consistent_point_; }
  const std::string& snapshot() const { return snapshot_; }

 private:
  std::unique_ptr<Session> session_;
  Lsn consistent_point_;
  std::string snapshot_;
};

// Creates the slot with plugin pgoutput and an exported snapshot. FailedPrecondition: 42710 the
// slot is there already, 53400 no slot free, 55000 wal_level is not logical, 42501 no REPLICATION
// right. Unavailable: no server, or older transactions did not end within the time-out (they are
// named, and no slot is left behind).
absl::StatusOr<std::unique_ptr<CreatedSlot>> CreateLogicalSlot(const SlotOptions& options,
                                                               const Cancel& cancel);
// The same over a connection that is there already (SessionOptions::replication), for who can't
// wait for one. DeadlineExceeded: older transactions did not end in time; nobody is named.
absl::StatusOr<std::unique_ptr<CreatedSlot>> CreateLogicalSlotOn(std::unique_ptr<Session> walsender,
                                                                 const SlotOptions& options);

// Whether standbys may keep slot options.slot; since Postgres 17. Unavailable: no server, or
// somebody uses the slot. FailedPrecondition: 42704 there is none, 42501 no REPLICATION right.
absl::Status SetSlotFailover(const SlotOptions& options, bool failover, const Cancel& cancel);

// OK when there is no such slot. FailedPrecondition (55006) while somebody uses it. `session` is an
// ordinary one.
absl::Status DropSlot(Session& session, const std::string& slot);

}  // namespace switchyard::pg
