// Both databases at one moment of the source: a snapshot of each that holds the commits below one
// LSN, and no others.
//
//   ASSIGN_OR_RETURN(auto pair, PairedSnapshots::Take(options, cancel));
//   ASSIGN_OR_RETURN(auto session, pair->ConnectTarget());
//   RETURN_IF_ERROR(pair->BeginTarget(*session));   // a transaction that sees that moment
//
// How: the replayer is held where it is; a temporary slot on the source gives (L, snapshot); the
// replayer is let on to exactly L; the target's snapshot is taken; the replayer goes on. The hold
// has a lease: whoever dies, it ends by itself within Options::hold_max. What the target's snapshot
// shows of switchyard.stream proves that it is of L, whatever happened to the hold.
//
// The snapshots live as long as the object does, and hold back what VACUUM may remove.
// Thread safety: Connect... and Begin... from any thread, each session by one at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/connection_string.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"

namespace switchyard::verify {

struct SnapshotOptions {
  pg::ConnectionString source;
  pg::ConnectionString target;
  std::string stream;
  std::string slot;  // of the moment
  // Of sessions on the target, for functions of a mapping that look names up as they run; empty:
  // pg_catalog alone, as everywhere (pg/settings.h).
  std::string target_path;
  // Puts something on the log, so that the replayer comes past where the source is now.
  std::function<absl::Status(pg::Session& source)> nudge;
  // For how long the replayer may be held, each time it is tried.
  absl::Duration hold_max = absl::Milliseconds(500);
  int attempts = 10;
  // For a replayer that stands still, and for old transactions to end.
  absl::Duration patience = absl::Seconds(10);
};

class PairedSnapshots {
 public:
  // FailedPrecondition: something keeps it from being taken, which the text names: old or prepared
  // transactions of the source, a replayer that stands still or is not done with its copy, somebody
  // else's hold. DeadlineExceeded: not within hold_max, however often it was tried.
  static absl::StatusOr<std::unique_ptr<PairedSnapshots>> Take(const SnapshotOptions& options,
                                                               const Cancel& cancel);

  Lsn lsn() const { return lsn_; }
  // For how long the replayer was held, in the end.
  absl::Duration held() const { return held_; }

  absl::StatusOr<std::unique_ptr<pg::Session>> ConnectSource() const;
  absl::StatusOr<std::unique_ptr<pg::Session>> ConnectTarget() const;
  absl::Status BeginSource(pg::Session& session) const;
  // Temporary tables may be made in it.
  absl::Status BeginTarget(pg::Session& session) const;

 private:
  PairedSnapshots(const SnapshotOptions& options, const Cancel& cancel)
      : options_(options), cancel_(cancel) {}

  absl::Status AwaitReplayer(pg::Session& source, pg::ControlSession& target) const;
  absl::Status AwaitBlockers(pg::Session& source) const;
  absl::Status TryTake(pg::Session& source, pg::ControlSession& target);
  absl::Status TakeTarget(pg::ControlSession& target, absl::Time deadline);

  const SnapshotOptions options_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> source_keeper_;
  std::unique_ptr<pg::Session> target_keeper_;
  std::string source_snapshot_;
  std::string target_snapshot_;
  Lsn lsn_;
  absl::Duration held_;
};

}  // namespace switchyard::verify
