// The protocol of a cutover, rollback and recovery as a pure machine: which step a driver does
// next, from how the last one ended. README.md has the steps in words.
//
//   State state = Start(Goal::kToNew);
//   while (state.phase != Phase::kEnd) state = Next(state, /* do state.phase */);
//
// No I/O, no clock: the controller acts and times, the dry run walks the same steps over ports that
// change nothing, and tests/model drives every interleaving of two drivers through this very code.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "cutover/phase.h"
#include "cutover/ports.h"
#include "cutover/side.h"

namespace switchyard::cutover {

// What became of a step, as far as its driver can tell.
enum class Outcome {
  kDone,
  kRefused,  // by its own compare: nothing changed
  kLost,     // no answer: it may have been done, or be done yet
  kFailed,   // certainly not done
};

// By the code that a port answered with (ports.h).
Outcome OutcomeOf(const absl::Status& status);

// What the rows say, as far as a driver acts on it.
struct Sight {
  int64_t epoch = 0;
  Side owner = Side::kOld;
  bool at_work = false;     // another driver, by its signs of life
  bool abandoned = false;   // one died at work: what it left is mended before anything is asked
  bool old_closed = false;  // a rollback changed the owner, and OLD is fenced still
  bool ambiguous = false;   // the rows contradict each other, or were written on another server
};

// How a driver's step ended, and what else there is to know.
struct Event {
  Outcome outcome = Outcome::kDone;
  Sight sight;               // of kReadRow and kLook
  bool abort_asked = false;  // from another terminal, or this process is to end
  bool past_budget = false;  // writers have waited for longer than they may
};

struct State {
  Phase phase = Phase::kReadRow;  // to do next
  Goal goal = Goal::kToNew;
  Side closing = Side::kOld;  // the side that owns until the change of owner
  int64_t epoch = 0;          // this driver's, or the one it is about to take; 0: none yet
  bool gated = false;         // the gates were passed
  bool decided = false;       // the owner has changed: rolls forward
  bool undoing = false;       // takes back what it did, by a fresh epoch
  bool doubted = false;       // its epoch was refused: another driver may lead
  bool holding = false;       // the proxies are its to let go
  bool alarmed = false;       // something that stops nothing went wrong on the way
  int tries = 0;              // left, of a step that must not be given up
  Result result = Result::kUnderWay;

  friend bool operator==(const State&, const State&) = default;
};

// `tries`: how often a recovery begins again before it calls what it can't learn ambiguous.
State Start(Goal goal, int tries = 60);

// `state.phase` ended as `event` says.
State Next(const State& state, const Event& event);

// True where writers wait and the owner has not changed: what the budget bounds.
bool InPause(const State& state);

// True up to the change of owner: where an abort from another terminal wins.
bool MayAbort(const State& state);

}  // namespace switchyard::cutover
