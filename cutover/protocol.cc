#include "cutover/protocol.h"

namespace switchyard::cutover {
namespace {

State To(State state, Phase phase) {
  state.phase = phase;
  return state;
}

State End(State state, Result result) {
  state.phase = Phase::kEnd;
  state.result = result;
  return state;
}

// Says who is at work no more, then ends.
State Rest(State state, Result result) {
  state.result = result;
  return To(state, Phase::kRest);
}

// The order of the enum is the order of the steps.
Phase Following(Phase phase) { return static_cast<Phase>(static_cast<int>(phase) + 1); }

bool Recovers(const State& state) { return state.undoing || state.goal == Goal::kRecover; }

Side Wanted(Goal goal) { return goal == Goal::kToNew ? Side::kNew : Side::kOld; }

// How it ends with the owner that there is.
Result Settled(const State& state) {
  const Side owner = state.decided ? Other(state.closing) : state.closing;
  return state.goal == Goal::kRecover || owner == Wanted(state.goal) ? Result::kDone
                                                                     : Result::kAborted;
}

// Another driver leads. It let clients go on, or will; but if that was before this one held them,
// nobody else would do it again.
State Superseded(State state) {
  state.result = Result::kSuperseded;
  return To(state, state.holding ? Phase::kResume : Phase::kEnd);
}

// What was done so far is not durable: the locks go with their transaction, then clients go on.
State GiveUp(State state) {
  state.result = state.phase >= Phase::kHold ? Result::kAborted : Result::kRefused;
  return To(state, Phase::kRelease);
}

// Leads, and has something to do. From here on the proxies are this driver's to let go, also where
// it finds them held by one that died.
State Begin(State state) {
  state.holding = true;
  return To(state, state.gated ? Phase::kWatch : Phase::kGates);
}

// Something durable may have been done, or may be done yet by a command under way. A fresh epoch in
// NEW's row first: no late command gets past it. A row that was only read again decides nothing.
State Undo(State state) {
  state.undoing = true;
  return To(state, Phase::kReadRow);
}

// Begins again with a fresh epoch, as often as there are tries left. What ends here does not say
// that it rests: a side may be closed that should not be, and whoever comes next mends that first.
State Again(State state) {
  if (!Recovers(state) && !state.decided) return End(state, Result::kRefused);
  if (state.tries == 0) {
    return End(state, state.decided ? Result::kUnfinished : Result::kAmbiguous);
  }
  --state.tries;
  return To(state, Phase::kReadRow);
}

// The same step once more, where the owner has changed and its command is not in doubt.
State Repeat(const State& state, const State& when_exhausted) {
  if (state.tries == 0) return when_exhausted;
  State next = state;
  --next.tries;
  return next;
}

State Alarmed(State state, const Event& event) {
  state.alarmed = state.alarmed || event.outcome != Outcome::kDone;
  return state;
}

// Red gates change nothing, not even an epoch; but they keep nobody from mending what a dead driver
// left, or from seeing that all is done already.
bool GatesFirst(const State& state, const Sight& sight) {
  return !state.gated && !Recovers(state) && !state.decided && !sight.abandoned &&
         sight.owner != Wanted(state.goal);
}

State AfterReadRow(State state, const Event& event) {
  if (event.outcome != Outcome::kDone) return Again(state);
  if (state.doubted && event.sight.epoch > state.epoch) return Superseded(state);
  if (!Recovers(state) && !state.decided && event.sight.at_work) {
    return End(state, Result::kRefused);
  }
  if (GatesFirst(state, event.sight)) return To(state, Phase::kGates);
  state.doubted = false;
  state.epoch = event.sight.epoch + 1;
  return To(state, Phase::kTakeEpoch);
}

State AfterGates(State state, const Event& event) {
  const bool leads = state.epoch != 0;
  if (event.outcome != Outcome::kDone || event.abort_asked) {
    return leads ? GiveUp(state) : End(state, Result::kRefused);
  }
  state.gated = true;
  return To(state, leads ? Phase::kWatch : Phase::kReadRow);
}

State AfterTakeEpoch(const State& state, const Event& event) {
  switch (event.outcome) {
    case Outcome::kDone:
      return To(state, Phase::kLook);
    case Outcome::kRefused:
      return End(state, Result::kSuperseded);
    case Outcome::kLost:
    case Outcome::kFailed:
      return Again(state);
  }
  return state;
}

// The epoch is taken, so nobody but this driver changes the owner from here on.
State AfterLook(State state, const Event& event) {
  if (event.outcome != Outcome::kDone) return Again(state);
  if (event.sight.epoch != state.epoch) return End(state, Result::kSuperseded);
  if (event.sight.ambiguous) return End(state, Result::kAmbiguous);
  state.closing = event.sight.owner;
  state.decided = false;
  if (event.sight.owner == Side::kNew) {
    if (state.goal == Goal::kToOld && !state.undoing) return Begin(state);
    state.closing = Side::kOld;
    state.decided = true;
    return To(state, Phase::kFlushOpened);
  }
  if (event.sight.old_closed) {
    state.closing = Side::kNew;
    state.decided = true;
    return To(state, Phase::kFlushClosed);
  }
  return To(state, Phase::kMoveOldRow);
}

// OLD was unreachable: nothing was begun. Otherwise it may be open or not: it is not left so.
State AfterMoveOldRow(State state, const Event& event) {
  if (event.outcome == Outcome::kDone) {
    if (state.goal == Goal::kToNew && !state.undoing) return Begin(state);
    return To(state, Phase::kFlip);
  }
  state.undoing = state.undoing || event.outcome != Outcome::kFailed;
  return Again(state);
}

// Steps up to the permanent fence: whatever goes wrong, giving up is enough.
State Before(State state, const Event& event, Phase next) {
  if (state.phase == Phase::kHold && event.outcome == Outcome::kRefused) {
    state.holding = false;  // another driver leads, and this one held nobody
    return Superseded(state);
  }
  if (event.outcome != Outcome::kDone || event.abort_asked || event.past_budget) {
    return GiveUp(state);
  }
  return To(state, next);
}

// Between OLD's fence and the change of owner.
State Between(const State& state, const Event& event, Phase next) {
  if (event.outcome != Outcome::kDone || event.abort_asked || event.past_budget) return Undo(state);
  return To(state, next);
}

State AfterClose(State state, const Event& event) {
  switch (event.outcome) {
    case Outcome::kDone:
      state.decided = state.closing == Side::kNew;
      if (state.decided) return To(state, Phase::kFlushClosed);
      return Between(state, event, Phase::kFlushClosed);
    case Outcome::kFailed:
      return GiveUp(state);
    case Outcome::kRefused:
      state.doubted = true;
      return Undo(state);
    case Outcome::kLost:
      return Undo(state);
  }
  return state;
}

// kFlushClosed of OLD: every standby has the fence before NEW opens. Of NEW: every standby has the
// decision before OLD opens, as a failover would take it back and leave both sides open.
// kCheckSequences of OLD: none passed its gap. Of NEW: set ahead once more.
State AfterClosed(const State& state, const Event& event, Phase next) {
  if (state.closing == Side::kOld) return Between(state, event, next);
  if (event.outcome == Outcome::kDone) return To(state, next);
  if (event.outcome == Outcome::kRefused) return Again(state);  // NEW failed over
  return Repeat(state, End(state, Result::kUnfinished));
}

State AfterOpen(State state, const Event& event) {
  if (event.outcome == Outcome::kDone) {
    state.decided = true;
    return To(state, Phase::kFlushOpened);
  }
  state.doubted = event.outcome == Outcome::kRefused;
  return state.decided ? Again(state) : Undo(state);
}

// An owner that did not change has nothing to show through a canary.
State AfterFlip(const State& state, const Event& event) {
  State settled = Alarmed(state, event);
  settled.holding = false;
  settled.phase = settled.decided ? Phase::kCanary : Phase::kUnload;
  return event.outcome == Outcome::kDone ? settled : Repeat(state, settled);
}

// What follows the change of owner stops at nothing: what goes wrong is an alarm.
State Onward(const State& state, const Event& event, Phase next) {
  return To(Alarmed(state, event), next);
}

State AfterUnload(const State& state, const Event& event) {
  return Rest(Alarmed(state, event), Settled(state));
}

State AfterRest(State state, const Event& event) {
  if (event.outcome == Outcome::kRefused && state.holding) {
    state.holding = state.result == Result::kAborted;  // else: held by another, if at all
    return Superseded(state);
  }
  return state.holding ? To(state, Phase::kResume) : End(state, state.result);
}

State AfterResume(State state, const Event& event) {
  const State over = End(Alarmed(state, event), state.result);
  return event.outcome == Outcome::kDone ? over : Repeat(state, over);
}

}  // namespace

Outcome OutcomeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return Outcome::kDone;
    case absl::StatusCode::kAborted:
      return Outcome::kRefused;
    case absl::StatusCode::kUnknown:
      return Outcome::kLost;
    default:
      return Outcome::kFailed;
  }
}

State Start(Goal goal, int tries) {
  State state;
  state.goal = goal;
  state.tries = tries;
  return state;
}

bool InPause(const State& state) {
  return state.phase >= Phase::kHold && state.phase <= Phase::kOpen && !state.decided;
}

bool MayAbort(const State& state) {
  return state.phase <= Phase::kOpen && !state.decided && !Recovers(state);
}

State Next(const State& state, const Event& event) {
  switch (state.phase) {
    case Phase::kGates:
      return AfterGates(state, event);
    case Phase::kReadRow:
      return AfterReadRow(state, event);
    case Phase::kTakeEpoch:
      return AfterTakeEpoch(state, event);
    case Phase::kLook:
      return AfterLook(state, event);
    case Phase::kMoveOldRow:
      return AfterMoveOldRow(state, event);
    case Phase::kWatch:
    case Phase::kProveReturn:
    case Phase::kHold:
    case Phase::kLock:
    case Phase::kMark:
    case Phase::kAwaitMarker:
    case Phase::kCompare:
    case Phase::kSetSequences:
      return Before(state, event, Following(state.phase));
    case Phase::kClose:
      return AfterClose(state, event);
    case Phase::kFlushClosed:
    case Phase::kCheckSequences:
      return AfterClosed(state, event, Following(state.phase));
    case Phase::kOpen:
      return AfterOpen(state, event);
    case Phase::kFlushOpened:
    case Phase::kTell:
    case Phase::kCanary:
    case Phase::kCanaryBack:
    case Phase::kObserve:
      return Onward(state, event, Following(state.phase));
    case Phase::kFlip:
      return AfterFlip(state, event);
    case Phase::kUnload:
      return AfterUnload(state, event);
    case Phase::kRelease:
      return To(state, Phase::kRest);
    case Phase::kRest:
      return AfterRest(state, event);
    case Phase::kResume:
      return AfterResume(state, event);
    case Phase::kEnd:
      return state;
  }
  return state;
}

}  // namespace switchyard::cutover
