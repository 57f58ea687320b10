#include "verify/paired_snapshots.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "common/pg/replication/slot.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::verify {
namespace {

constexpr char kName[] = "switchyard verify";
// Of the source's transactions: what is older keeps a slot waiting for longer than a hold may last.
constexpr absl::Duration kOldTransaction = absl::Seconds(1);
constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr absl::Duration kHeldLook = absl::Milliseconds(2);
constexpr absl::Duration kBetweenAttempts = absl::Milliseconds(300);
// However it moves on: a copy is more than a pass can wait for.
constexpr absl::Duration kCatchUpMax = absl::Minutes(10);
constexpr char kSnapshotMode[] = "ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr char kWritingMode[] = "ISOLATION LEVEL REPEATABLE READ";

pg::SessionOptions OptionsFor(const pg::ConnectionString& dsn, bool replication = false) {
  return {.dsn = dsn, .application_name = kName, .replication = replication};
}

absl::StatusOr<Lsn> WalEnd(pg::Session& source) {
  ASSIGN_OR_RETURN(const pg::Result row, source.Query("SELECT pg_current_wal_insert_lsn()"));
  return Lsn::Parse(row.text(0, 0));
}

// A hold of the replayer; ends with the object, or by itself.
class Hold {
 public:
  Hold(pg::ControlSession& target, std::string stream)
      : target_(target), stream_(std::move(stream)) {}
  ~Hold() { [[maybe_unused]] const absl::Status released = Release(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  absl::Status Begin(Lsn at, absl::Time until) {
    return Change(at, until, [&](records::StreamStore& store, absl::Duration lease) {
      return store.Hold(at, lease);
    });
  }
  absl::Status MoveTo(Lsn to, absl::Time until) {
    return Change(to, until, [&](records::StreamStore& store, absl::Duration lease) {
      return store.MoveHold(at_, to, lease);
    });
  }
  absl::Status Release() {
    if (!held_) return absl::OkStatus();
    held_ = false;
    return target_.InTransaction([&](pg::ControlTransaction& tx) -> absl::Status {
      RETURN_IF_ERROR(tx.Execute("SET LOCAL synchronous_commit = off"));
      return records::StreamStore(tx, stream_).ReleaseHold(at_);
    });
  }

 private:
  // The row is locked for as long as a transaction of the replayer lasts.
  absl::Status Change(
      Lsn to, absl::Time until,
      absl::FunctionRef<absl::Status(records::StreamStore& store, absl::Duration lease)> change) {
    const absl::Duration left = until - absl::Now();
    if (left < absl::Milliseconds(1)) return absl::DeadlineExceededError("there was no time left");
    const absl::Status changed = target_.InTransaction([&](pg::ControlTransaction& tx) {
      RETURN_IF_ERROR(
          tx.Execute(absl::StrCat("SET LOCAL lock_timeout = ", absl::ToInt64Milliseconds(left))));
      // A crash may forget it: what the snapshot shows decides.
      RETURN_IF_ERROR(tx.Execute("SET LOCAL synchronous_commit = off"));
      records::StreamStore store(tx, stream_);
      return change(store, left);
    });
    if (pg::StatusSqlState(changed) == "55P03") {
      return absl::DeadlineExceededError(
          "the replayer was inside a large transaction, which a hold has to wait for");
    }
    RETURN_IF_ERROR(changed);
    held_ = true;
    at_ = to;
    return absl::OkStatus();
  }

  pg::ControlSession& target_;
  const std::string stream_;
  bool held_ = false;
  Lsn at_;
};

bool MayPass(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PairedSnapshots>> PairedSnapshots::Take(
    const SnapshotOptions& options, const Cancel& cancel) {
  std::unique_ptr<PairedSnapshots> pair(new PairedSnapshots(options, cancel));
  ASSIGN_OR_RETURN(const auto source, pair->ConnectSource());
  ASSIGN_OR_RETURN(const auto target,
                   pg::ControlSession::Connect(OptionsFor(options.target), cancel));
  RETURN_IF_ERROR(pair->AwaitReplayer(*source, *target));
  absl::Status taken;
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    if (attempt > 0 && !cancel.WaitFor(kBetweenAttempts)) return cancel.status();
    RETURN_IF_ERROR(pair->AwaitBlockers(*source));
    taken = pair->TryTake(*source, *target);
    if (taken.ok()) return pair;
    if (!MayPass(taken)) return taken;
  }
  return WithNextStep(
      absl::DeadlineExceededError(absl::StrFormat(
          "the two databases could not be seen at one moment: tried %d times, each with the "
          "replayer "
          "held for up to %s; the last time: %s",
          options.attempts, absl::FormatDuration(options.hold_max), taken.message())),
      "run it again while less is written");
}

absl::StatusOr<std::unique_ptr<pg::Session>> PairedSnapshots::ConnectSource() const {
  return pg::Session::Connect(OptionsFor(options_.source), cancel_);
}

absl::StatusOr<std::unique_ptr<pg::Session>> PairedSnapshots::ConnectTarget() const {
  pg::SessionOptions options = OptionsFor(options_.target);
  options.settings = {{"work_mem", "64MB"}};
  ASSIGN_OR_RETURN(auto session, pg::Session::Connect(options, cancel_));
  if (!options_.target_path.empty()) {
    RETURN_IF_ERROR(session->Execute("SET search_path = " + options_.target_path));
  }
  return session;
}

absl::Status PairedSnapshots::BeginSource(pg::Session& session) const {
  RETURN_IF_ERROR(session.Begin(kSnapshotMode));
  return session.Execute(absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(source_snapshot_)));
}

absl::Status PairedSnapshots::BeginTarget(pg::Session& session) const {
  RETURN_IF_ERROR(session.Begin(kWritingMode));
  return session.Execute(absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(target_snapshot_)));
}

// Until it has all that the source had when this was called: what lags would be held for nothing.
absl::Status PairedSnapshots::AwaitReplayer(pg::Session& source, pg::ControlSession& target) const {
  ASSIGN_OR_RETURN(const Lsn end, WalEnd(source));
  RETURN_IF_ERROR(options_.nudge(source));
  records::StreamStore store(target, options_.stream);
  const absl::Time deadline = absl::Now() + kCatchUpMax;
  absl::Time moved = absl::Now();
  Lsn last;
  while (true) {
    ASSIGN_OR_RETURN(const records::StreamState state, store.Load());
    if (state.phase == records::Phase::kStopped) {
      const Finding why = ParseFinding(state.stop_reason);
      return Refuse(absl::StrCat("the stream is stopped: ", why.what),
                    why.next.empty() ? "see: switchyard status FILE" : why.next);
    }
    const Lsn reached = std::max(state.position.lsn, state.position.covered_lsn);
    if (reached >= end) break;
    if (reached != last) moved = absl::Now();
    last = reached;
    if (absl::Now() - moved > options_.patience || absl::Now() > deadline) {
      return Refuse(
          absl::StrFormat(
              "the replayer stands at %s, %s behind OLD's %s, and has not moved on for %s",
              last.ToString(), HumanBytes(static_cast<int64_t>(end.value() - last.value())),
              end.ToString(),
              absl::FormatDuration(absl::Trunc(absl::Now() - moved, absl::Seconds(1)))),
          "see what holds it up: switchyard status FILE");
    }
    if (!cancel_.WaitFor(kLook)) return cancel_.status();
  }
  ASSIGN_OR_RETURN(const records::StreamState state, store.Load());
  if (state.phase == records::Phase::kStreaming) return absl::OkStatus();
  return Refuse("NEW is no state that OLD was in yet: tables are being copied, or derived again",
                "wait until switchyard status FILE says streaming");
}

absl::Status PairedSnapshots::AwaitBlockers(pg::Session& source) const {
  const absl::Time deadline = absl::Now() + options_.patience;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<pg::SlotBlocker> blockers,
                     pg::FindSlotBlockers(source, kOldTransaction));
    if (blockers.empty()) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      constexpr size_t kShownMax = 5;
      std::vector<std::string> shown;
      for (const pg::SlotBlocker& blocker : blockers) {
        if (shown.size() < kShownMax) shown.push_back(blocker.ToString());
      }
      const bool one = blockers.size() == 1;
      return Refuse(
          absl::StrFormat("OLD can't be seen as of one LSN while %d old %s open: %s",
                          blockers.size(), one ? "transaction is" : "transactions are",
                          absl::StrJoin(shown, ", ")),
          absl::StrFormat("wait for %s, or end %s (pg_terminate_backend, ROLLBACK PREPARED), then "
                          "verify again",
                          one ? "it" : "them", one ? "it" : "them"));
    }
    if (!cancel_.WaitFor(kLook)) return cancel_.status();
  }
}

// Everything that takes time and can be done before is done before the replayer is held.
absl::Status PairedSnapshots::TryTake(pg::Session& source, pg::ControlSession& target) {
  ASSIGN_OR_RETURN(auto walsender,
                   pg::Session::Connect(OptionsFor(options_.source, true), cancel_));
  ASSIGN_OR_RETURN(source_keeper_, ConnectSource());
  ASSIGN_OR_RETURN(target_keeper_, ConnectTarget());
  ASSIGN_OR_RETURN(const Lsn before, WalEnd(source));
  const absl::Time began = absl::Now();
  const absl::Time deadline = began + options_.hold_max;
  Hold hold(target, options_.stream);
  RETURN_IF_ERROR(hold.Begin(before, deadline));
  SY_FAULT_POINT("verify.holding");
  auto slot = pg::CreateLogicalSlotOn(
      std::move(walsender),
      {.slot = options_.slot, .temporary = true, .timeout = deadline - absl::Now()});
  if (absl::IsDeadlineExceeded(slot.status())) {
    return absl::DeadlineExceededError("OLD's transactions under way did not end in time");
  }
  RETURN_IF_ERROR(
      WithNextStep(slot.status(),
                   "verify wants a replication slot and a walsender of OLD for a moment: see "
                   "max_replication_slots, max_wal_senders and the role's REPLICATION"));
  lsn_ = (*slot)->consistent_point();
  RETURN_IF_ERROR(hold.MoveTo(lsn_, deadline));
  RETURN_IF_ERROR(options_.nudge(source));
  RETURN_IF_ERROR(TakeTarget(target, deadline));
  RETURN_IF_ERROR(hold.Release());
  held_ = absl::Now() - began;
  source_snapshot_ = (*slot)->snapshot();
  RETURN_IF_ERROR(BeginSource(*source_keeper_));
  ASSIGN_OR_RETURN(const pg::Result exported, source_keeper_->Query("SELECT pg_export_snapshot()"));
  source_snapshot_ = exported.str(0, 0);
  return absl::OkStatus();
}

absl::Status PairedSnapshots::TakeTarget(pg::ControlSession& target, absl::Time deadline) {
  records::StreamStore held(target, options_.stream);
  while (true) {
    ASSIGN_OR_RETURN(const bool stands, held.StandsAt(lsn_));
    if (stands) break;
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("the replayer did not come to ", lsn_.ToString(), " in time"));
    }
    if (!cancel_.WaitFor(kHeldLook)) return cancel_.status();
  }
  RETURN_IF_ERROR(target_keeper_->Begin(kSnapshotMode));
  ASSIGN_OR_RETURN(const bool stands,
                   records::StreamStore(*target_keeper_, options_.stream).StandsAt(lsn_));
  if (!stands) {
    target_keeper_->Rollback();
    return absl::AbortedError("the hold had ended before NEW was looked at");
  }
  ASSIGN_OR_RETURN(const records::StreamState state,
                   records::StreamStore(*target_keeper_, options_.stream).Load());
  if (state.phase != records::Phase::kStreaming) {
    return Refuse("tables began to be copied or derived again just now",
                  "wait until switchyard status FILE says streaming, then verify again");
  }
  ASSIGN_OR_RETURN(const pg::Result exported, target_keeper_->Query("SELECT pg_export_snapshot()"));
  target_snapshot_ = exported.str(0, 0);
  return absl::OkStatus();
}

}  // namespace switchyard::verify
