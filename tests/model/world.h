// Everything that the cutover protocol stands on, as small as it can be and still go wrong: two
// databases, the commands under way to them, two drivers. Each driver is the protocol itself
// (cutover/protocol.h); the world decides what its steps do and when.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "cutover/protocol.h"

namespace switchyard::model {

// What the protocol relies on. A mutant takes one of them away, and has to be found.
struct Rules {
  // Of the databases.
  bool close_old_compares = true;
  bool open_new_compares = true;
  bool open_old_compares = true;
  bool commands_name_servers = true;  // a command never crosses a failover
  bool looks_after_flush = true;      // who waits for standbys asks whose they are
  bool epochs_name_servers = true;    // OLD's row tells epochs of NEW's former life from later ones
  // Of the protocol.
  bool fresh_epoch = true;        // else: after a lost answer the row is read again
  bool new_row_first = true;      // else: OLD's row is moved before NEW's
  bool close_before_open = true;  // else: the owner changes before OLD's fence is permanent
  bool marker_after_locks = true;
  bool looks_for_decisions = true;  // else: one that takes over believes that OLD owns
  bool judges_history = true;
  bool waits_for_standbys = true;
  // Of the world.
  bool new_fails_over = false;
  bool old_fails_over = false;
};

enum class Kind : uint8_t { kNone, kTake, kOpenOld, kCloseOld, kOpenNew, kCloseNew };

// A command on its way to a server: carried out at any time from now on, or never.
struct Command {
  Kind kind = Kind::kNone;
  int8_t session = -1;  // of driver 0 or 1; 2 and 3: of one that died since
  int8_t epoch = 0;
  int8_t life = 0;      // of the server it is meant for
  int8_t new_life = 0;  // NEW's, as its driver saw it
  friend auto operator<=>(const Command&, const Command&) = default;
};

enum class Reply : uint8_t { kNone, kDone, kRefused, kLost };

struct Driver {
  bool idle = true;
  Kind awaits = Kind::kNone;
  Reply reply = Reply::kNone;
  bool marker_unapplied = false;
  int8_t old_life = 0;  // of the servers it looked at
  int8_t new_life = 0;
  cutover::State state;
  friend bool operator==(const Driver&, const Driver&) = default;
};

struct OldRow {
  bool fenced = false;
  int8_t epoch = 0;
  int8_t new_life = 0;  // NEW's, as the driver saw it that moved this row
  int8_t told = 0;      // owner epoch
  friend bool operator==(const OldRow&, const OldRow&) = default;
};

struct NewRow {
  bool owns = false;  // NEW does
  int8_t epoch = 0;
  int8_t owner_epoch = 0;
  int8_t owner_life = 0;  // NEW's at the change of owner
  friend bool operator==(const NewRow&, const NewRow&) = default;
};

inline constexpr int kCommandsMax = 6;

struct World {
  OldRow old_row;
  OldRow old_flushed;  // what a standby of OLD has
  NewRow new_row;
  NewRow new_flushed;
  int8_t old_lock = -1;  // session that holds the provisional fence
  int8_t new_lock = -1;
  int8_t old_life = 0;
  int8_t new_life = 0;
  bool new_lacks = false;  // acknowledged writes of OLD
  bool old_lacks = false;  // acknowledged writes of NEW
  bool new_took = false;   // application writes in this ownership
  bool forked = false;     // a failover of NEW took such writes away, with the decision
  int8_t faults = 0;       // left
  std::array<Command, kCommandsMax> commands;  // sorted, kNone last
  std::array<Driver, 2> drivers;
  const char* bad = nullptr;
  friend bool operator==(const World&, const World&) = default;
};

// Short; equal for worlds that are equal but for which driver is which.
std::string Pack(const World& world);

bool OldAccepts(const World& world);
bool NewAccepts(const World& world);

struct Bounds {
  int epochs = 3;
  int faults = 1;
};

World Begin(const Bounds& bounds);

using Successor = std::pair<std::string, World>;

// Each thing that can happen next.
std::vector<Successor> Successors(const World& world, const Rules& rules, const Bounds& bounds);

// What must not be in any world; nullptr: nothing.
const char* Fault(const World& world, const Bounds& bounds);

}  // namespace switchyard::model
