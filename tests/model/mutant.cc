#include "tests/model/mutant.h"

namespace switchyard::model {
namespace {

using cutover::Event;
using cutover::Outcome;
using cutover::Phase;
using cutover::Side;
using cutover::State;

// marker, locks, fence: what is written between the first two is not looked for.
Phase MarkerFirst(const State& state, const State& next) {
  if (state.phase == Phase::kHold && next.phase == Phase::kLock) return Phase::kMark;
  if (state.phase == Phase::kAwaitMarker && next.phase == Phase::kCompare) return Phase::kLock;
  if (state.phase == Phase::kLock && next.phase == Phase::kMark) return Phase::kCompare;
  return next.phase;
}

// NEW opens while OLD is held by its locks only, and is fenced after it.
State OwnerFirst(const State& state, const Event& event, State next) {
  if (state.closing != Side::kOld) return next;
  if (state.phase == Phase::kSetSequences && next.phase == Phase::kClose) {
    next.phase = Phase::kOpen;
  } else if (state.phase == Phase::kOpen && event.outcome == Outcome::kDone) {
    next.phase = Phase::kClose;
  } else if (state.phase == Phase::kClose && event.outcome == Outcome::kDone) {
    next.phase = Phase::kTell;
    next.decided = true;
  }
  return next;
}

// OLD's row is moved to an epoch that was not taken in NEW's.
State OldFirst(const State& state, State next) {
  const bool undoes = next.phase == Phase::kReadRow && next.undoing && !state.undoing;
  if (!undoes || state.closing != Side::kOld) return next;
  next.phase = Phase::kMoveOldRow;
  next.epoch = state.epoch + 1;
  return next;
}

// Reads NEW's row again after a lost answer, and believes it.
State ReadAgain(const State& state, const Event& event, State next) {
  if (state.phase == Phase::kOpen && state.closing == Side::kOld &&
      event.outcome == Outcome::kLost) {
    next.phase = Phase::kLook;
  } else if (state.phase == Phase::kLook && next.phase == Phase::kMoveOldRow && next.undoing) {
    ++next.epoch;
  }
  return next;
}

}  // namespace

State MutatedNext(const State& state, const Event& event, const Rules& rules) {
  State next = cutover::Next(state, event);
  if (!rules.marker_after_locks) next.phase = MarkerFirst(state, next);
  if (!rules.close_before_open) next = OwnerFirst(state, event, next);
  if (!rules.new_row_first) next = OldFirst(state, next);
  if (!rules.fresh_epoch) next = ReadAgain(state, event, next);
  return next;
}

}  // namespace switchyard::model
