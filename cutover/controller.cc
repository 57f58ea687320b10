#include "cutover/controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "cutover/sight.h"

namespace switchyard::cutover {
namespace {

constexpr absl::Duration kFirstGap = absl::Milliseconds(10);
constexpr absl::Duration kLastGap = absl::Seconds(1);
constexpr absl::Duration kLastLimit = absl::Milliseconds(500);
constexpr absl::Duration kLeastLimit = absl::Milliseconds(1);

// The row itself records who takes an epoch; reading it, or letting go of locks, changes nothing.
bool IsJournalled(Phase phase) {
  switch (phase) {
    case Phase::kGates:
    case Phase::kReadRow:
    case Phase::kTakeEpoch:
    case Phase::kLook:
    case Phase::kRelease:
    case Phase::kRest:
    case Phase::kEnd:
      return false;
    default:
      return true;
  }
}

bool IsDurable(Phase phase) { return phase == Phase::kClose || phase == Phase::kOpen; }

std::string FiguresOf(const std::vector<Acceptance>& accepted) {
  return absl::StrJoin(accepted, " ", [](std::string* out, const Acceptance& acceptance) {
    absl::StrAppend(out, "accepted=", acceptance.gate, " reason=\"", acceptance.reason, "\"");
  });
}

}  // namespace

Controller::Controller(Goal goal, const Ports& ports, Options options, const Clock& clock,
                       const Cancel& cancel)
    : ports_(ports),
      options_(std::move(options)),
      clock_(clock),
      cancel_(cancel),
      state_(Start(goal, options_.tries)) {}

bool Controller::Step() {
  if (state_.phase == Phase::kEnd) return false;
  const absl::Time started = clock_.Now();
  if (state_.phase == Phase::kHold) pause_began_ = started;
  ports_.standby.Alive();
  Event event;
  absl::Status status = WriteJournal();
  if (!status.ok() && MustGoOn()) {
    report_.alarms.push_back(absl::StrCat("the journal: ", status.message()));
    status = absl::OkStatus();
  }
  if (status.ok()) {
    status = Act(&event);
    event.outcome = OutcomeOf(status);
  } else {
    event.outcome = Outcome::kFailed;  // what could not be journalled is not done
  }
  ReadAbort(&event);
  event.past_budget = InPause(state_) && Paused() > options_.pause_budget;
  if (IsDurable(state_.phase) &&
      (event.outcome == Outcome::kDone || event.outcome == Outcome::kLost)) {
    report_.durable_change = true;
  }
  Note(status, event, started);
  Advance(event, status);
  return state_.phase != Phase::kEnd;
}

// What is done to be safe, or after the change of owner, does not wait for a line in a journal.
bool Controller::MustGoOn() const {
  return state_.decided || state_.undoing || state_.goal == Goal::kRecover ||
         state_.phase == Phase::kResume;
}

absl::Status Controller::WriteJournal() {
  if (!IsJournalled(state_.phase)) return absl::OkStatus();
  std::string figures = absl::StrFormat("goal=%s owner=%s", std::string(Name(state_.goal)),
                                        std::string(Name(Owner())));
  if (pause_began_.has_value()) {
    absl::StrAppendFormat(&figures, " paused_ms=%d budget_ms=%d",
                          absl::ToInt64Milliseconds(Paused()),
                          absl::ToInt64Milliseconds(options_.pause_budget));
  }
  if (decision_.handover.closed_lsn.valid()) {
    absl::StrAppend(&figures, " marker=", decision_.handover.closed_lsn.ToString());
  }
  if (state_.phase == Phase::kWatch && !options_.accepted.empty()) {
    absl::StrAppend(&figures, " ", FiguresOf(options_.accepted));
  }
  return ports_.journal.Write({.epoch = state_.epoch,
                               .step = std::string(Name(state_.phase)),
                               .operator_name = options_.operator_name,
                               .at = clock_.Now(),
                               .figures = std::move(figures)},
                              Limit());
}

absl::Status Controller::Act(Event* event) {
  switch (state_.phase) {
    case Phase::kGates:
      return PassGates();
    case Phase::kReadRow:
      return ReadRow(&event->sight);
    case Phase::kTakeEpoch:
      return ports_.lease.Take(state_.epoch - 1, Limit());
    case Phase::kLook:
      return Look(&event->sight);
    case Phase::kMoveOldRow:
      return ports_.old_fence.Open(decision_, Limit());
    case Phase::kWatch:
    case Phase::kProveReturn:
    case Phase::kHold:
    case Phase::kLock:
    case Phase::kMark:
    case Phase::kAwaitMarker:
    case Phase::kCompare:
    case Phase::kSetSequences:
      return ActBefore();
    case Phase::kClose:
    case Phase::kFlushClosed:
    case Phase::kCheckSequences:
    case Phase::kOpen:
    case Phase::kFlushOpened:
    case Phase::kTell:
    case Phase::kFlip:
      return ActFlip();
    default:
      return ActAfter();
  }
}

absl::Status Controller::ActBefore() {
  const Side closing = state_.closing;
  switch (state_.phase) {
    case Phase::kWatch:
      return ports_.standby.Watch(state_.epoch, Limit());
    case Phase::kProveReturn:
      return ports_.streams.ProveRoundTrip(Other(closing), Limit()).status();
    case Phase::kHold:
      RETURN_IF_ERROR(StillLeads());
      return ports_.traffic.Hold(state_.epoch, Limit());
    case Phase::kLock: {
      LockOptions lock = options_.lock;
      lock.limit = std::min(lock.limit, Limit());
      return FenceOf(closing).Lock(lock);
    }
    case Phase::kMark: {
      ASSIGN_OR_RETURN(decision_.handover.closed_lsn,
                       ServerOf(closing).WriteMarker(state_.epoch, Limit()));
      return absl::OkStatus();
    }
    case Phase::kAwaitMarker:
      return ports_.streams.AwaitMarker(closing, state_.epoch, decision_.handover.closed_lsn,
                                        Limit());
    case Phase::kCompare:
      return ports_.streams.CompareRemaining(closing, decision_.handover.closed_lsn, Limit());
    default:
      return ports_.sequences.SetAhead(closing, Limit());
  }
}

// No proxy compares epochs. Safe without; but one that slept for long would hold clients for
// nothing.
absl::Status Controller::StillLeads() {
  ASSIGN_OR_RETURN(const Ownership row, ports_.lease.Read(Limit()));
  if (row.epoch == state_.epoch) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrFormat("%s leads since, under epoch %d", row.driver, row.epoch));
}

absl::Status Controller::ActFlip() {
  const Side closing = state_.closing;
  switch (state_.phase) {
    case Phase::kClose:
      return FenceOf(closing).Close(decision_, Limit());
    case Phase::kFlushClosed:
      return FlushOn(closing);
    case Phase::kCheckSequences:
      return closing == Side::kOld ? ports_.sequences.CheckAhead(closing, Limit())
                                   : ports_.sequences.SetAhead(closing, Limit());
    case Phase::kOpen:
      return FenceOf(Other(closing)).Open(decision_, Limit());
    case Phase::kFlushOpened:
      return FlushOn(Owner());
    case Phase::kTell:
      return Tell();
    default:
      return EndPause(ports_.traffic.Flip(Owner(), state_.epoch, Limit()));
  }
}

absl::Status Controller::ActAfter() {
  switch (state_.phase) {
    case Phase::kCanary:
      return ports_.canary.Write(Owner(), state_.epoch, Limit());
    case Phase::kCanaryBack:
      return ports_.canary.SeenOnOther(Owner(), state_.epoch, Limit());
    case Phase::kObserve:
      return Observe();
    case Phase::kUnload:
      return FenceOf(Owner()).Unload(Limit());
    case Phase::kRelease:
      FenceOf(state_.closing).Release();
      return absl::OkStatus();
    case Phase::kRest:
      return ports_.lease.Rest(state_.epoch, Limit());
    default:
      return EndPause(ports_.traffic.Resume(state_.epoch, Limit()));
  }
}

// The history afterwards: standbys of a server that failed over meanwhile have what it has, which
// is not what was committed before.
absl::Status Controller::FlushOn(Side side) {
  RETURN_IF_ERROR(ServerOf(side).AwaitStandbys(Limit()));
  ASSIGN_OR_RETURN(const History now, ServerOf(side).ReadHistory(Limit()));
  const History& looked_at = side == Side::kOld ? decision_.old_history : decision_.new_history;
  if (now == looked_at) return absl::OkStatus();
  return absl::AbortedError(absl::StrFormat("%s failed over: it is on timeline %d, and was on %d",
                                            std::string(Name(side)), now.timeline,
                                            looked_at.timeline));
}

absl::Status Controller::EndPause(const absl::Status& clients_go_on) {
  if (pause_began_.has_value()) report_.pause = Paused();
  if (clients_go_on.ok()) pause_began_.reset();
  return clients_go_on;
}

absl::Status Controller::PassGates() {
  const Side closing = state_.goal == Goal::kToNew ? Side::kOld : Side::kNew;
  report_.gates = ports_.gates.Evaluate(closing, options_.call_limit);
  return Pass(report_.gates, options_.accepted);
}

absl::Status Controller::ReadRow(Sight* sight) {
  ASSIGN_OR_RETURN(const Ownership row, ports_.lease.Read(Limit()));
  *sight = SightOf(row);
  if (sight->at_work && !MustGoOn()) {
    report_.why = Refuse(absl::StrFormat("%s is at work under epoch %d, last seen %s ago",
                                         row.driver, row.epoch, absl::FormatDuration(row.silence)),
                         "wait for it, or: switchyard cutover FILE --abort");
  }
  return absl::OkStatus();
}

// Histories before rows: of a server that fails over in between, the commands name the one that is
// gone, and are refused.
absl::Status Controller::Look(Sight* sight) {
  Facts facts;
  ASSIGN_OR_RETURN(facts.new_now, ports_.new_server.ReadHistory(Limit()));
  ASSIGN_OR_RETURN(facts.ownership, ports_.lease.Read(Limit()));
  absl::StatusOr<History> old_now = ports_.old_server.ReadHistory(Limit());
  absl::StatusOr<OldRow> old_row =
      old_now.ok() ? ports_.old_record.Read(Limit()) : absl::StatusOr<OldRow>(old_now.status());
  if (old_row.ok()) {
    facts.old_now = *old_now;
    facts.old_row = *old_row;
  } else if (facts.ownership.owner == Side::kOld) {
    return Annotate(old_row.status(), "OLD, which owns");
  }
  ASSIGN_OR_RETURN(const Judgement judgement, Judge(facts));
  *sight = judgement.sight;
  decision_ = {.epoch = state_.epoch,
               .handover = facts.ownership.handover,
               .old_history = facts.old_now,
               .new_history = facts.new_now};
  if (!judgement.why.empty()) {
    report_.why = Refuse(judgement.why, "look at both sides with: switchyard doctor FILE");
  }
  return absl::OkStatus();
}

absl::Status Controller::Tell() {
  ASSIGN_OR_RETURN(const Ownership row, ports_.lease.Read(Limit()));
  report_.handover = row.handover;
  return ports_.old_record.Tell(row, Limit());
}

absl::Status Controller::Observe() {
  const absl::Time until = clock_.Now() + options_.observe;
  absl::Status worst;
  while (clock_.Now() < until) {
    ports_.standby.Alive();
    const absl::Status status = ports_.canary.RunChecks(Owner(), options_.call_limit);
    if (!status.ok()) worst = status;
    if (!clock_.WaitFor(options_.observe_interval, cancel_)) break;
  }
  return worst;
}

void Controller::ReadAbort(Event* event) {
  if (!MayAbort(state_)) return;
  event->abort_asked = cancel_.requested();
  std::string who = "the end of this process";
  if (!event->abort_asked && state_.epoch != 0) {
    const absl::StatusOr<std::string> asked = ports_.abort.AskedBy(state_.epoch, Limit());
    // A flag that can't be read has not been seen unset.
    event->abort_asked = !asked.ok() || !asked->empty();
    who = asked.ok() ? *asked : absl::StrCat("what can't be read: ", asked.status().message());
  }
  if (event->abort_asked && report_.why.ok()) {
    report_.why = absl::CancelledError(absl::StrCat("aborted by ", who));
  }
}

void Controller::Note(const absl::Status& status, const Event& event, absl::Time started) {
  StepReport step{.phase = state_.phase, .took = clock_.Now() - started, .paused = Paused()};
  step.problem = std::string(StdSv(status.message()));
  if (event.past_budget && status.ok()) {
    step.problem = absl::StrFormat("writers have waited for %s, the budget is %s",
                                   absl::FormatDuration(Paused()),
                                   absl::FormatDuration(options_.pause_budget));
  }
  if (!step.problem.empty()) {
    LogWarn("cutover", "step failed",
            {{"step", std::string(Name(step.phase))},
             {"epoch", absl::StrCat(state_.epoch)},
             {"error", step.problem}});
  }
  if (options_.on_step) options_.on_step(step);
  report_.steps.push_back(std::move(step));
}

void Controller::Advance(const Event& event, const absl::Status& status) {
  const State next = Next(state_, event);
  const std::string& problem = report_.steps.back().problem;
  if (!problem.empty() && state_.decided && next.decided) {
    report_.alarms.push_back(absl::StrCat(Sv(Name(state_.phase)), ": ", problem));
  } else if (!problem.empty() && report_.why.ok()) {
    report_.why = status.ok() ? absl::DeadlineExceededError(problem) : status;
  }
  if (next.tries < state_.tries) {
    const int used = std::min(options_.tries - next.tries - 1, 7);
    // Also while this process is to end: what is undone is not left half done.
    clock_.WaitFor(std::min(kFirstGap * (1 << used), kLastGap), never_);
  }
  state_ = next;
  if (state_.phase == Phase::kEnd) Finish();
}

void Controller::Finish() {
  report_.result = state_.result;
  report_.epoch = state_.epoch;
  const bool known = state_.result == Result::kDone || state_.result == Result::kAborted ||
                     state_.result == Result::kUnfinished;
  if (known) report_.owner = Owner();
  if (state_.result == Result::kDone) report_.why = absl::OkStatus();
  if (state_.result != Result::kUnfinished && state_.epoch != 0) ports_.standby.Dismiss();
}

absl::Duration Controller::Limit() const {
  const absl::Duration left = options_.pause_budget - Paused();
  if (InPause(state_)) return std::max(left, kLeastLimit);
  // The owner has changed, and clients are held still: what would be good to have is not waited for
  // much longer.
  const bool held = pause_began_.has_value() && state_.decided && state_.closing == Side::kOld;
  if (held && state_.phase != Phase::kFlip) return std::max(left, kLastLimit);
  return options_.call_limit;
}

absl::Duration Controller::Paused() const {
  return pause_began_.has_value() ? clock_.Now() - *pause_began_ : absl::ZeroDuration();
}

Side Controller::Owner() const { return state_.decided ? Other(state_.closing) : state_.closing; }

Fence& Controller::FenceOf(Side side) const {
  return side == Side::kOld ? ports_.old_fence : ports_.new_fence;
}

Server& Controller::ServerOf(Side side) const {
  return side == Side::kOld ? ports_.old_server : ports_.new_server;
}

}  // namespace switchyard::cutover
