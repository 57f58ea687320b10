#include "cutover/postgres/fence.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"
#include "common/records/cutover/ownership.h"
#include "cutover/postgres/answers.h"
#include "cutover/postgres/fence_facts.h"
#include "cutover/postgres/holders.h"

namespace switchyard::cutover {
namespace {

using records::Compared;

// Of one table each; also below any deadlock_timeout.
constexpr absl::Duration kUnloadLockTimeout = absl::Milliseconds(50);
constexpr absl::Duration kFirstGap = absl::Milliseconds(25);

std::string Milliseconds(absl::Duration duration) {
  return absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)), "ms");
}

absl::Status OtherDriver(const PgFenceOptions& options, int64_t epoch) {
  return absl::AbortedError(absl::StrFormat(
      "%s of migration %s is not under epoch %d any more: another driver acts; nothing was changed",
      Name(options.side), options.migration, epoch));
}

absl::Status NotHeld(const PgFenceOptions& options, std::string_view why) {
  return absl::AbortedError(absl::StrFormat(
      "the locks on the tables of %s are not held any more (%s): %s is as it was before",
      Name(options.side), why, Name(options.side)));
}

// Nothing is done on another server, or another life of it, than the driver looked at.
absl::Status SameServer(const pg::Sql& sql, const PgFenceOptions& options,
                        const Decision& decision) {
  const History& expected =
      options.side == Side::kOld ? decision.old_history : decision.new_history;
  ASSIGN_OR_RETURN(const records::ServerHistory here, records::HistoryOf(sql));
  if (here.system_identifier == expected.system_identifier && here.timeline == expected.timeline) {
    return absl::OkStatus();
  }
  return absl::AbortedError(absl::StrFormat(
      "%s is another server than the one looked at: system %s on timeline %d, not %s on %d; "
      "nothing was changed",
      Name(options.side), here.system_identifier, here.timeline, expected.system_identifier,
      expected.timeline));
}

records::ServerHistory Recorded(const History& history) {
  return {history.system_identifier, history.timeline};
}

records::Flip FlipOf(const Decision& decision, Side closed) {
  const Handover& handover = decision.handover;
  records::Flip flip = {.old_server = Recorded(decision.old_history),
                        .new_server = Recorded(decision.new_history)};
  flip.old_lsn = closed == Side::kOld ? handover.closed_lsn : handover.opened_lsn;
  flip.new_lsn = closed == Side::kOld ? handover.opened_lsn : handover.closed_lsn;
  return flip;
}

}  // namespace

absl::Status PgFence::Lock(const LockOptions& options) {
  if (held_ != nullptr) return absl::OkStatus();
  const absl::Time deadline = absl::Now() + options.limit;
  ASSIGN_OR_RETURN(pg::ControlSession * control, control_.Session());
  ASSIGN_OR_RETURN(const absl::Duration deadlock_timeout, LeastDeadlockTimeout(*control));
  const absl::Duration lock_timeout = std::min(options.lock_timeout, deadlock_timeout / 2);
  absl::Status last;
  absl::Duration gap = kFirstGap;
  for (int attempt = 0; attempt < options.tries; ++attempt, gap *= 2) {
    if (attempt > 0) {
      if (absl::Now() + gap >= deadline) break;
      if (!cancel_.WaitFor(gap)) return cancel_.status();
    }
    last = TryLock(options, std::min(lock_timeout, deadline - absl::Now()));
    if (!IsLockNotHad(last)) return last;
  }
  std::string who;
  if (const auto holders = Holders(absl::Seconds(1)); holders.ok()) who = ToString(*holders);
  return absl::DeadlineExceededError(absl::StrCat(
      "the tables of ", Sv(Name(options_.side)), " were not had within ",
      absl::FormatDuration(options.limit), ", each try ", absl::FormatDuration(lock_timeout),
      who.empty() ? ": whoever held them has ended by now" : ": held by " + who));
}

absl::Status PgFence::BeginTry(absl::Duration lock_timeout) {
  if (held_ == nullptr) {
    ASSIGN_OR_RETURN(held_, pg::Session::Connect(options_.session, cancel_));
  }
  RETURN_IF_ERROR(held_->Begin());
  std::vector<std::pair<std::string, std::string>> settings = {
      {"lock_timeout", Milliseconds(lock_timeout)},
      // Of all locks of a try together: whoever waits for one of them is not to wait so long that
      // it looks for deadlocks while we wait for one of its own.
      {"statement_timeout", Milliseconds(lock_timeout)},
      {"synchronous_commit", "on"},
      {"idle_in_transaction_session_timeout", Milliseconds(options_.hold_max)},
      {"tcp_keepalives_idle", "1"},
      {"tcp_keepalives_interval", "1"},
      {"tcp_keepalives_count", "2"}};
  if (held_->server_version() >= 140000) {
    settings.emplace_back("client_connection_check_interval", "200ms");
  }
  std::vector<std::string> sets;
  for (const auto& [name, value] : settings) {
    sets.push_back(
        absl::StrFormat("set_config(%s, %s, true)", QuoteLiteral(name), QuoteLiteral(value)));
  }
  return held_->Query(absl::StrCat("SELECT ", absl::StrJoin(sets, ", "))).status();
}

absl::Status PgFence::TryLock(const LockOptions& options, absl::Duration lock_timeout) {
  absl::Status status = [&]() -> absl::Status {
    RETURN_IF_ERROR(BeginTry(lock_timeout));
    if (options_.side == Side::kOld) {
      ASSIGN_OR_RETURN(const Compared open, records::OldSideRow(*held_, options_.migration).Hold());
      if (open == Compared::kRefused) {
        return absl::AbortedError(
            absl::StrCat("OLD of migration ", options_.migration,
                         " is not open, or no driver ever acted: there is nothing to lock"));
      }
    }
    RETURN_IF_ERROR(
        held_->QueryWithin(options.limit, "SELECT switchyard.fence_lock($1)", {options_.migration})
            .status());
    return held_->Query("SELECT set_config('statement_timeout', '0', true)").status();
  }();
  if (status.ok()) return status;
  if (held_ != nullptr) held_->Rollback();
  held_.reset();
  return status;
}

absl::StatusOr<std::vector<Holder>> PgFence::Holders(absl::Duration limit) {
  ASSIGN_OR_RETURN(pg::ControlSession * control, control_.Session());
  return FindHolders(*control, options_.migration, held_ == nullptr ? 0 : held_->backend_pid(),
                     limit);
}

void PgFence::Release() {
  if (held_ != nullptr) held_->Rollback();  // or its session is closed
  held_.reset();
}

absl::Status PgFence::Close(const Decision& decision, absl::Duration limit) {
  if (held_ == nullptr) return NotHeld(options_, "there is no session of them");
  const absl::Time deadline = absl::Now() + limit;
  absl::Status status = CloseHeld(decision, limit);
  if (!status.ok()) {
    const bool lost = !held_->alive() || absl::IsUnavailable(status) || IsEndedByServer(status);
    Release();
    if (lost) return NotHeld(options_, StdSv(status.message()));
    return LockNotHadIsLate(status);
  }
  status = CommitHeld(deadline - absl::Now());
  held_.reset();
  return status;
}

absl::Status PgFence::CloseHeld(const Decision& decision, absl::Duration limit) {
  RETURN_IF_ERROR(held_
                      ->Query("SELECT set_config('statement_timeout', $1, true), "
                              "set_config('lock_timeout', $1, true)",
                              {Milliseconds(limit)})
                      .status());
  RETURN_IF_ERROR(SameServer(*held_, options_, decision));
  ASSIGN_OR_RETURN(const auto faults, FindFenceFaults(*held_, options_.migration, options_.tables));
  RETURN_IF_ERROR(RefuseAll(
      absl::StrCat("the fence of ", Sv(Name(options_.side)), " is not what was set up:"), faults));
  RETURN_IF_ERROR(MoveClosedRow(decision));
  return held_
      ->Query("SELECT switchyard.fence_close($1, $2::bigint, $3)",
              {options_.migration, std::to_string(decision.epoch), options_.told})
      .status();
}

absl::Status PgFence::MoveClosedRow(const Decision& decision) {
  Compared compared = Compared::kRefused;
  if (options_.side == Side::kOld) {
    ASSIGN_OR_RETURN(compared, records::OldSideRow(*held_, options_.migration)
                                   .Close(decision.epoch, Recorded(decision.new_history)));
  } else {
    ASSIGN_OR_RETURN(compared, records::NewOwnership(*held_, options_.migration)
                                   .GiveToOld(decision.epoch, FlipOf(decision, Side::kNew)));
  }
  return compared == Compared::kDone ? absl::OkStatus() : OtherDriver(options_, decision.epoch);
}

absl::Status PgFence::CommitHeld(absl::Duration limit) {
  const auto committed = held_->QueryWithin(std::max(limit, absl::Milliseconds(1)), "COMMIT");
  if (committed.ok() && committed->command_tag() == "COMMIT") return absl::OkStatus();
  if (committed.ok()) return NotHeld(options_, "a statement had failed");
  return absl::UnknownError(absl::StrCat("the answer to the COMMIT of the fence of ",
                                         Sv(Name(options_.side)),
                                         " was lost: ", committed.status().message()));
}

absl::Status PgFence::Moved(pg::ControlTransaction& tx, const Decision& decision, bool* opens) {
  if (options_.side == Side::kOld) {
    ASSIGN_OR_RETURN(const records::OldSideRow::Opened opened,
                     records::OldSideRow(tx, options_.migration)
                         .Open(decision.epoch, Recorded(decision.new_history)));
    *opens = opened.was == records::OldSide::State::kClosed;
    return opened.compared == Compared::kDone ? absl::OkStatus()
                                              : OtherDriver(options_, decision.epoch);
  }
  ASSIGN_OR_RETURN(const Compared compared,
                   records::NewOwnership(tx, options_.migration)
                       .GiveToNew(decision.epoch, FlipOf(decision, Side::kOld)));
  *opens = true;
  return compared == Compared::kDone ? absl::OkStatus() : OtherDriver(options_, decision.epoch);
}

absl::Status PgFence::Open(const Decision& decision, absl::Duration limit) {
  return control_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    RETURN_IF_ERROR(SameServer(tx, options_, decision));
    bool opens = false;
    RETURN_IF_ERROR(Moved(tx, decision, &opens));
    if (!opens) return absl::OkStatus();
    return tx.Execute("SELECT switchyard.fence_open($1, $2::bigint)",
                      {options_.migration, std::to_string(decision.epoch)});
  });
}

absl::Status PgFence::Unload(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  ASSIGN_OR_RETURN(pg::ControlSession * control, control_.Session());
  ASSIGN_OR_RETURN(const std::vector<FencedTable> tables,
                   LoadedTables(*control, options_.migration));
  std::vector<std::string> left;
  for (const FencedTable& table : tables) {
    const absl::Status status =
        absl::Now() >= deadline
            ? absl::DeadlineExceededError("")
            : control->InTransaction([&](pg::ControlTransaction& tx) -> absl::Status {
                RETURN_IF_ERROR(tx.Execute("SELECT set_config('lock_timeout', $1, true)",
                                           {Milliseconds(kUnloadLockTimeout)}));
                return tx.Execute("SELECT switchyard.fence_rest($1, $2::oid)",
                                  {options_.migration, std::to_string(table.oid)});
              });
    if (status.ok()) continue;
    if (!IsLockNotHad(status) && !absl::IsDeadlineExceeded(status)) return status;
    left.push_back(table.name);
  }
  if (left.empty()) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("the triggers of the fence of ", Sv(Name(options_.side)), " still cost on ",
                   left.size(), " tables that are in use: ", absl::StrJoin(left, ", ")));
}

absl::Status PgFence::CloseUnowned(const LockOptions& options, absl::Duration limit) {
  {
    ASSIGN_OR_RETURN(pg::ControlSession * control, control_.Session());
    RETURN_IF_ERROR(records::NewOwnership(*control, options_.migration).Begin(0));
  }
  RETURN_IF_ERROR(Lock(options));
  const absl::Status closed = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto row,
                     records::NewOwnership(*held_, options_.migration).LoadAndHold());
    if (!row || row->owner != records::Side::kOld) {
      return absl::AbortedError(
          absl::StrCat("NEW of migration ", options_.migration, " owns, and stays open"));
    }
    return held_
        ->Query("SELECT switchyard.fence_close($1, $2::bigint, $3)",
                {options_.migration, std::to_string(row->owner_epoch), options_.told})
        .status();
  }();
  if (!closed.ok()) {
    Release();
    return closed;
  }
  const absl::Status committed = CommitHeld(limit);
  held_.reset();
  RETURN_IF_ERROR(committed);
  return Unload(limit);
}

}  // namespace switchyard::cutover
