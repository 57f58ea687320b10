// What the cutover protocol drives: both databases, the streams between them, parity, the proxies,
// the journal. Postgres behind them in production (postgres/), fakes in the model and the
// simulation.
//
// How every call answers, so that the protocol can tell what became of it:
//   OK            done, and durable where the call says so
//   Aborted       refused by its own compare: nothing changed, another driver leads
//   Unknown       the answer was lost: it may have been done, or be done yet
//   anything else nothing was done; the text says why and who is in the way
// A call ends at its `limit` at the latest: DeadlineExceeded where it is then certain that nothing
// was done (a lock not had, a progress not seen), Unknown where that is not certain (a COMMIT under
// way).
//
// One driver's thread calls all of them, one at a time. Each is owned by who made it and outlives
// the controller. None keeps a decision from one call to the next but what its comment names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "cutover/gates.h"
#include "cutover/side.h"

namespace switchyard::cutover {

// Which server a database is, and which of its lives: another one may lack what was committed.
struct History {
  std::string system_identifier;
  int64_t timeline = 0;
  friend bool operator==(const History&, const History&) = default;
};

// The moment of a flip in both logs: other readers of the closed side's WAL change over here.
struct Handover {
  Lsn closed_lsn;  // the marker's, on the side that closes: all of it is on the other
  Lsn opened_lsn;  // of the side that opens, before its application's first write
  friend bool operator==(const Handover&, const Handover&) = default;
};

// What a change of one of the two rows is made with. `epoch` is the driver's, and is compared.
struct Decision {
  int64_t epoch = 0;
  Handover handover;  // opened_lsn is filled in by the transaction that opens
  History old_history;
  History new_history;
};

// NEW's row, which decides who owns.
struct Ownership {
  Side owner = Side::kOld;
  int64_t epoch = 0;        // of the driver that leads; grows with every driver
  int64_t owner_epoch = 0;  // epoch of the last change of owner; what mark rows carry; 0 before it
  absl::Time since;         // the last change of owner
  Handover handover;        // this and what follows as of that change
  History old_history;
  History new_history;
  std::string driver;      // "ana@host pid 4711", who took `epoch`
  bool at_work = false;    // since Take(), until Rest()
  absl::Duration silence;  // since its last sign of life (Take, Journal::Write), by NEW's clock
};

// OLD's row, and what OLD was told of NEW's.
struct OldRow {
  int64_t epoch = 0;  // the driver's that moved it last
  bool fenced = false;
  History new_history;  // NEW's as its driver saw it: on another one a decision may be lost
  Side told_owner = Side::kOld;
  int64_t told_owner_epoch = 0;  // of the latest decision that OLD was told of
};

// NEW's row: read it, lead by it.
class Lease {
 public:
  virtual ~Lease() = default;
  virtual absl::StatusOr<Ownership> Read(absl::Duration limit) = 0;
  // A driver's first act: epoch := from + 1 WHERE epoch = from, with who it is; at work. Durable on
  // NEW. Aborted: it stands elsewhere by now.
  virtual absl::Status Take(int64_t from, absl::Duration limit) = 0;
  // Nobody is at work any more. Aborted: another epoch leads.
  virtual absl::Status Rest(int64_t epoch, absl::Duration limit) = 0;
};

// OLD's row as it is, and its copy of the decision. (Its epoch and fence are moved by OLD's Fence.)
class OldRecord {
 public:
  virtual ~OldRecord() = default;
  virtual absl::StatusOr<OldRow> Read(absl::Duration limit) = 0;
  // After a change of owner: what NEW's row says now, for the night when NEW comes back from a
  // backup. Only forward: Aborted where OLD was told of a later one.
  virtual absl::Status Tell(const Ownership& ownership, absl::Duration limit) = 0;
};

struct LockOptions {
  absl::Duration lock_timeout =
      absl::Milliseconds(200);              // of one try; below every deadlock_timeout
  int tries = 5;                            // with growing gaps between them
  absl::Duration limit = absl::Seconds(2);  // of all tries together
};

// Who holds what the fence waits for.
struct Holder {
  int64_t pid = 0;  // 0: a prepared transaction, named by `what`
  std::string table;
  std::string what;  // its query, or gid
  absl::Duration age;
};

// The fence of one side. It keeps one thing between calls: the session whose transaction holds the
// locks.
class Fence {
 public:
  virtual ~Fence() = default;
  // Provisional: one transaction with SHARE ROW EXCLUSIVE on every mapped table and leaf, the list
  // read again inside. OK: every writer and prepared transaction has drained, others wait.
  // DeadlineExceeded: not had in all tries; the text names the holders, no lock is kept.
  virtual absl::Status Lock(const LockOptions& options) = 0;
  // Who holds what Lock() waits for now; from another session.
  virtual absl::StatusOr<std::vector<Holder>> Holders(absl::Duration limit) = 0;
  // Rolls it back; the side is as before. Never fails: where the server doesn't answer, the session
  // is closed, and the server's own time-outs end the transaction. No-op where nothing is held.
  virtual void Release() = 0;

  // Permanent, in the transaction that holds the locks, which then is over whatever the answer:
  // triggers ENABLE ALWAYS, function replaced, owner_epoch of every mark row := epoch, and
  //   OLD  its row: fenced WHERE epoch and new_history are the decision's
  //   NEW  its row, which is the change of owner: owner := OLD, owner_epoch := epoch, handover,
  //        histories WHERE owner = NEW AND epoch = decision.epoch
  // Durable. Aborted also where the locks are not held any more, or the server is not the one (of
  // decision's histories) that the driver looked at: a command never crosses a failover.
  // FailedPrecondition: triggers, functions or the list of tables are not those expected.
  virtual absl::Status Close(const Decision& decision, absl::Duration limit) = 0;
  // Opens the side for its application, in one transaction, without locks of tables of its own:
  //   OLD  waits for whoever holds the locks of Lock() (DeadlineExceeded); its row: epoch and
  //        new_history := the decision's, not fenced WHERE (timeline of new_history, epoch) is
  //        below the decision's: a NEW that failed over may give the same epochs out once more;
  //        function and mark rows where it was fenced. Right to call where OLD is open: a late
  //        Close() then is refused.
  //   NEW  its row, which is the change of owner: owner := NEW, owner_epoch := epoch, handover,
  //        histories WHERE owner = OLD AND epoch = decision.epoch; function and mark rows
  // Durable. Aborted also where the server is not the one that the driver looked at.
  virtual absl::Status Open(const Decision& decision, absl::Duration limit) = 0;
  // Sets the triggers of the side that owns DISABLED, table by table, with a short lock_timeout.
  // Costs nothing but speed if it fails: may be called again.
  virtual absl::Status Unload(absl::Duration limit) = 0;
};

// One side's log and servers.
class Server {
 public:
  virtual ~Server() = default;
  virtual absl::StatusOr<History> ReadHistory(absl::Duration limit) = 0;
  // From a second connection, after the locks are held: a transactional message (below Postgres 14
  // a published row of ours) named by `epoch`. Its commit's LSN.
  virtual absl::StatusOr<Lsn> WriteMarker(int64_t epoch, absl::Duration limit) = 0;
  // OK: what was committed here until now is flushed on every standby that can be promoted, but
  // those excluded by name. DeadlineExceeded: the text names those that are behind, and how far.
  // (That no failover came between is seen by ReadHistory() afterwards.)
  virtual absl::Status AwaitStandbys(absl::Duration limit) = 0;
};

// Sequences that hand over values on both sides. Keeps what SetAhead() set.
class Sequences {
 public:
  virtual ~Sequences() = default;
  // Reads those of `closing` and sets those of the other side ahead of them by a gap. (Never back;
  // an undo leaves them: a gap harms nobody.) FailedPrecondition: one would pass its bound.
  virtual absl::Status SetAhead(Side closing, absl::Duration limit) = 0;
  // Reads those of `closing` again: no fence stops nextval. FailedPrecondition: one passed its gap.
  virtual absl::Status CheckAhead(Side closing, absl::Duration limit) = 0;
};

// The streams, and what is proven of them. `from` is the side a stream reads.
class Streams {
 public:
  virtual ~Streams() = default;
  // A heartbeat of `from` seen by its replayer on the other side; with the position recorded, so
  // that no slot has to be made while writers wait.
  virtual absl::StatusOr<Lsn> ProveRoundTrip(Side from, absl::Duration limit) = 0;
  // OK: the applied position on the other side, flushed there, contains the marker of `epoch`. By
  // the marker itself, never by how far two LSNs are apart. DeadlineExceeded: not yet; says where
  // the replayer stands.
  virtual absl::Status AwaitMarker(Side from, int64_t epoch, Lsn marker, absl::Duration limit) = 0;
  // OK: every key that changed since the last clean pass is equal on both sides, at the marker.
  // FailedPrecondition: some are not, or it could not be looked at (inconclusive is never clean).
  virtual absl::Status CompareRemaining(Side from, Lsn marker, absl::Duration limit) = 0;
};

// Every traffic switch of the migration as one. A switch that can't be asked is not a switch that
// stands right: each call below fails unless the expected number of them did as asked.
class Traffic {
 public:
  virtual ~Traffic() = default;
  // OK: all expected ones answer, none is held, all point at `side`.
  virtual absl::Status Verify(Side side, absl::Duration limit) = 0;
  // Clients wait, none is refused. All or none: what was held is resumed where one can't be.
  virtual absl::Status Hold(int64_t epoch, absl::Duration limit) = 0;
  // Points all at `side` and lets clients go on there; verified through the pool. Right to call
  // again, with any of them held or not. The text names those that did not.
  virtual absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) = 0;
  // Lets clients go on where they are. Right to call whether or not they are held.
  virtual absl::Status Resume(int64_t epoch, absl::Duration limit) = 0;
};

// After the flip: one row written through the real path of an application and seen on the other
// side; the user's own checks.
class Canary {
 public:
  virtual ~Canary() = default;
  virtual absl::Status Write(Side owner, int64_t epoch, absl::Duration limit) = 0;
  virtual absl::Status SeenOnOther(Side owner, int64_t epoch, absl::Duration limit) = 0;
  // One round of the checks that the file declares for the time after the flip.
  virtual absl::Status RunChecks(Side owner, absl::Duration limit) = 0;
};

// What is written before it is done.
struct JournalEntry {
  int64_t epoch = 0;
  std::string step;  // Name() of a phase
  std::string operator_name;
  absl::Time at;
  std::string figures;  // "pause=41ms limit=2s": key=value, no row values
};

// In NEW. An entry is a sign of life of its driver.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual absl::Status Write(const JournalEntry& entry, absl::Duration limit) = 0;
  // Of the latest epoch that wrote any, oldest first; empty if none did.
  virtual absl::StatusOr<std::vector<JournalEntry>> ReadLast(absl::Duration limit) = 0;
};

// The second process, which takes over when this one is silent.
class StandbyDriver {
 public:
  virtual ~StandbyDriver() = default;
  // OK: a second process has taken the watch over `epoch`. FailedPrecondition: none does.
  virtual absl::Status Watch(int64_t epoch, absl::Duration limit) = 0;
  // Called with every step: this driver lives.
  virtual void Alive() = 0;
  // The work is over: nobody is to take over any more.
  virtual void Dismiss() = 0;
};

// `cutover --abort` from another terminal, or an end of this process.
class AbortFlag {
 public:
  virtual ~AbortFlag() = default;
  // Who asked for it ("ana@host, 14:02:11"); empty: nobody. Asked before every step up to the
  // change of owner.
  virtual absl::StatusOr<std::string> AskedBy(int64_t epoch, absl::Duration limit) = 0;
};

// The facts behind the gates: all of them, each time.
class GateSource {
 public:
  virtual ~GateSource() = default;
  // One for each gate that there is. A fact that can't be had is an inconclusive gate.
  virtual std::vector<Gate> Evaluate(Side closing, absl::Duration limit) = 0;
};

struct Ports {
  Lease& lease;
  OldRecord& old_record;
  Fence& old_fence;
  Fence& new_fence;
  Server& old_server;
  Server& new_server;
  Sequences& sequences;
  Streams& streams;
  Traffic& traffic;
  Canary& canary;
  Journal& journal;
  StandbyDriver& standby;
  AbortFlag& abort;
  GateSource& gates;
};

}  // namespace switchyard::cutover
