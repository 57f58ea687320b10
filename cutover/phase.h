// The steps of a cutover, rollback or recovery, by the words that the journal, the terminal and
// --json use. protocol.h has their order.
#pragma once

#include <string_view>

namespace switchyard::cutover {

enum class Phase {
  kGates,  // everything that has to be true before
  // Who leads.
  kReadRow,     // NEW's row
  kTakeEpoch,   // by compare
  kLook,        // who owns, and whether both servers are those that the rows were written on
  kMoveOldRow,  // by compare; opens OLD where it was fenced
  // Before writers wait.
  kWatch,        // a second process takes over if this one dies
  kProveReturn,  // the stream that a way back needs
  // Writers wait.
  kHold,            // the proxies
  kLock,            // the provisional fence
  kMark,            // the marker's position is the end of what was written on the closing side
  kAwaitMarker,     // the other side has all of it
  kCompare,         // the keys that no pass has looked at yet
  kSetSequences,    // of the side that opens, ahead
  kClose,           // the permanent fence; of NEW: the change of owner
  kFlushClosed,     // ... on every standby
  kCheckSequences,  // nothing passed the gap; of NEW: set ahead once more
  kOpen,            // the other side; of NEW: the change of owner
  // The owner has changed: nothing is undone any more.
  kFlushOpened,  // ... on every standby
  kTell,         // OLD's copy of the decision
  kFlip,         // the proxies point at the owner, clients go on
  kCanary,       // through the real path
  kCanaryBack,   // ... and on the other side
  kObserve,      // the user's checks
  kUnload,       // the owner's triggers
  // The end; of what was given up before anything durable, the locks go first, the proxies last.
  kRelease,
  kRest,  // nobody is at work any more
  kResume,
  kEnd,
};

// "gates", "take epoch": stable.
std::string_view Name(Phase phase);

// What a driver was started for.
enum class Goal {
  kToNew,    // cutover
  kToOld,    // rollback
  kRecover,  // whatever a dead driver left: undone, or rolled forward once the owner has changed
};

std::string_view Name(Goal goal);

enum class Result {
  kUnderWay,
  kDone,
  kAborted,     // undone: the side that owned owns, and accepts writes
  kRefused,     // nothing was begun
  kSuperseded,  // another driver leads
  kUnfinished,  // the owner has changed, its side is not open yet: to be run again
  kAmbiguous,   // who owns can't be learned: sides that are fenced stay so, a person decides
};

std::string_view Name(Result result);

}  // namespace switchyard::cutover
