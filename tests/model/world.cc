#include "tests/model/world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/mutant.h"

namespace switchyard::model {
namespace {

using cutover::Event;
using cutover::Goal;
using cutover::Outcome;
using cutover::Phase;
using cutover::Result;
using cutover::Side;
using cutover::Sight;
using cutover::State;

constexpr int kTries = 2;  // filled up after every step: bounded by epochs, not by patience

constexpr std::array kKinds = {"", "take", "open OLD", "close OLD", "open NEW", "close NEW"};

bool ForOld(Kind kind) { return kind == Kind::kOpenOld || kind == Kind::kCloseOld; }

Kind KindOf(const State& state) {
  switch (state.phase) {
    case Phase::kTakeEpoch:
      return Kind::kTake;
    case Phase::kMoveOldRow:
      return Kind::kOpenOld;
    case Phase::kClose:
      return state.closing == Side::kOld ? Kind::kCloseOld : Kind::kCloseNew;
    case Phase::kOpen:
      return state.closing == Side::kOld ? Kind::kOpenNew : Kind::kOpenOld;
    default:
      return Kind::kNone;
  }
}

void Sort(World* world) {
  std::sort(world->commands.begin(), world->commands.end(),
            [](const Command& a, const Command& b) { return b < a; });
}

void Add(World* world, const Command& command) {
  for (Command& place : world->commands) {
    if (place.kind == Kind::kNone) {
      place = command;
      break;
    }
  }
  Sort(world);
}

void Remove(World* world, const Command& command) {
  *std::find(world->commands.begin(), world->commands.end(), command) = Command();
  Sort(world);
}

void Answer(World* world, const Command& command, Reply reply) {
  if (command.session > 1) return;
  Driver& driver = world->drivers.at(command.session);
  if (driver.awaits == command.kind && driver.reply == Reply::kNone &&
      driver.state.epoch == command.epoch) {
    driver.reply = reply;
  }
}

// What was sent on a session ends with it.
void EndLock(World* world, Kind kind, int8_t* lock) {
  const int8_t session = *lock;
  *lock = -1;
  for (const Command& command : std::array(world->commands)) {
    if (command.kind == kind && command.session == session) {
      Remove(world, command);
      Answer(world, command, Reply::kLost);
    }
  }
}

// --- what a server does with a command, whenever it arrives

bool CarryOutTake(World* world, const Command& command) {
  if (world->new_row.epoch != command.epoch - 1) return false;
  world->new_row.epoch = command.epoch;
  return true;
}

bool CarryOutOpenOld(World* world, const Command& command, const Rules& rules) {
  OldRow& row = world->old_row;
  const bool later = rules.epochs_name_servers ? std::pair(row.new_life, row.epoch) <
                                                     std::pair(command.new_life, command.epoch)
                                               : row.epoch < command.epoch;
  if (rules.open_old_compares && !later) return false;
  if (row.fenced && world->forked) world->bad = "OLD was reopened, and writes of NEW are lost";
  row.fenced = false;
  row.epoch = command.epoch;
  row.new_life = command.new_life;
  return true;
}

bool CarryOutCloseOld(World* world, const Command& command, const Rules& rules) {
  if (world->old_lock != command.session) return false;
  world->old_lock = -1;
  OldRow& row = world->old_row;
  const bool same = row.epoch == command.epoch &&
                    (row.new_life == command.new_life || !rules.epochs_name_servers);
  if (rules.close_old_compares && !same) return false;
  row.fenced = true;
  row.new_life = command.new_life;
  return true;
}

bool CarryOutOpenNew(World* world, const Command& command, const Rules& rules) {
  NewRow& row = world->new_row;
  if (row.owns || (rules.open_new_compares && row.epoch != command.epoch)) return false;
  if (world->new_lacks) world->bad = "NEW owns, and lacks acknowledged writes of OLD";
  row.owns = true;
  row.owner_epoch = command.epoch;
  row.owner_life = world->new_life;
  world->new_took = false;
  return true;
}

bool CarryOutCloseNew(World* world, const Command& command) {
  if (world->new_lock != command.session) return false;
  world->new_lock = -1;
  NewRow& row = world->new_row;
  if (!row.owns || row.epoch != command.epoch) return false;
  if (world->old_lacks) world->bad = "OLD owns, and lacks acknowledged writes of NEW";
  row.owns = false;
  row.owner_epoch = command.epoch;
  row.owner_life = world->new_life;
  return true;
}

bool CarryOut(World* world, const Command& command, const Rules& rules) {
  const int8_t life = ForOld(command.kind) ? world->old_life : world->new_life;
  const bool crossed = command.life != life && command.kind != Kind::kTake;
  if (rules.commands_name_servers && crossed) return false;
  switch (command.kind) {
    case Kind::kTake:
      return CarryOutTake(world, command);
    case Kind::kOpenOld:
      return CarryOutOpenOld(world, command, rules);
    case Kind::kCloseOld:
      return CarryOutCloseOld(world, command, rules);
    case Kind::kOpenNew:
      return CarryOutOpenNew(world, command, rules);
    case Kind::kCloseNew:
      return CarryOutCloseNew(world, command);
    case Kind::kNone:
      break;
  }
  return false;
}

void Serve(const World& world, const Rules& rules, std::vector<Successor>* out) {
  for (const Command& command : world.commands) {
    if (command.kind == Kind::kNone) break;
    const std::string name = absl::StrCat(kKinds.at(static_cast<size_t>(command.kind)), "(",
                                          command.epoch, ") of ", command.session);
    World next = world;
    Remove(&next, command);
    const bool done = CarryOut(&next, command, rules);
    Answer(&next, command, done ? Reply::kDone : Reply::kRefused);
    out->emplace_back(absl::StrCat(name, done ? " done" : " refused"), next);
    World lost = world;
    Remove(&lost, command);
    Answer(&lost, command, Reply::kLost);
    out->emplace_back(absl::StrCat(name, " never arrives"), lost);
  }
}

// --- what a driver does

Sight SightOf(const World& world, const Rules& rules) {
  const NewRow& row = world.new_row;
  const OldRow& old_row = world.old_row;
  Sight sight{.epoch = row.epoch, .owner = row.owns ? Side::kNew : Side::kOld};
  const bool decided =
      std::pair(row.owner_life, row.owner_epoch) > std::pair(old_row.new_life, old_row.epoch);
  sight.old_closed = !row.owns && old_row.fenced && decided;
  if (rules.judges_history) {
    sight.ambiguous =
        old_row.told > row.owner_epoch || (row.owns && !old_row.fenced) ||
        (!row.owns && old_row.fenced && !decided && old_row.new_life != world.new_life);
  }
  if (!rules.looks_for_decisions) sight.owner = Side::kOld;
  return sight;
}

void Settle(World* world, int i, const Rules& rules);

void Advance(World* world, int i, const Event& event, const Rules& rules) {
  Driver& driver = world->drivers.at(i);
  driver.state = MutatedNext(driver.state, event, rules);
  driver.state.tries = kTries;
  driver.awaits = Kind::kNone;
  driver.reply = Reply::kNone;
  Settle(world, i, rules);
}

void Rest(Driver* driver) {
  const bool ambiguous = driver->state.result == Result::kAmbiguous;
  *driver = Driver();
  if (!ambiguous) return;
  driver->idle = false;
  driver->state.phase = Phase::kEnd;
  driver->state.result = Result::kAmbiguous;
}

// What the standbys have from here on.
void Flush(World* world, Side side) {
  if (side == Side::kOld) world->old_flushed = world->old_row;
  if (side == Side::kNew) world->new_flushed = world->new_row;
}

// Steps that nothing can come between in a way that matters are done at once.
void Settle(World* world, int i, const Rules& rules) {
  Driver& driver = world->drivers.at(i);
  const State& state = driver.state;
  Event done;
  switch (state.phase) {
    case Phase::kReadRow:
    case Phase::kTakeEpoch:
    case Phase::kLook:
    case Phase::kMoveOldRow:
    case Phase::kLock:
    case Phase::kAwaitMarker:
    case Phase::kClose:
    case Phase::kFlushClosed:
    case Phase::kOpen:
    case Phase::kFlushOpened:
      return;
    case Phase::kEnd:
      Rest(&driver);
      return;
    case Phase::kMark:
      driver.marker_unapplied = state.closing == Side::kOld ? world->new_lacks : world->old_lacks;
      break;
    case Phase::kTell:
      world->old_row.told = std::max(world->old_row.told, world->new_row.owner_epoch);
      break;
    case Phase::kRelease:
      if (world->old_lock == i) world->old_lock = -1;
      if (world->new_lock == i) world->new_lock = -1;
      break;
    case Phase::kRest:
      if (state.epoch != world->new_row.epoch) done.outcome = Outcome::kRefused;
      break;
    default:
      break;
  }
  Advance(world, i, done, rules);
}

class Driving {
 public:
  Driving(const World& world, int i, const Rules& rules, const Bounds& bounds,
          std::vector<Successor>* out)
      : world_(world), i_(i), rules_(rules), bounds_(bounds), out_(*out) {}

  void All() {
    const Driver& driver = world_.drivers.at(i_);
    if (driver.idle) return StartAnew();
    if (driver.state.phase == Phase::kEnd) return;
    const Kind kind = KindOf(driver.state);
    if (kind == Kind::kNone) {
      Act();
    } else if (driver.awaits == Kind::kNone) {
      Send(kind);
    } else if (driver.reply != Reply::kNone) {
      Hear(driver.reply);
    }
    if (world_.faults > 0) Fail();
  }

 private:
  void Put(std::string_view name, World next) {
    out_.emplace_back(absl::StrCat(i_ == 0 ? "A: " : "B: ", std::string(name)), std::move(next));
  }

  void Go(std::string_view name, const Event& event, World next) {
    Advance(&next, i_, event, rules_);
    Put(name, std::move(next));
  }

  void StartAnew() {
    if (world_.new_row.epoch >= bounds_.epochs) return;
    for (const Goal goal : {Goal::kToNew, Goal::kToOld, Goal::kRecover}) {
      World next = world_;
      next.drivers.at(i_).idle = false;
      next.drivers.at(i_).state = cutover::Start(goal, kTries);
      Put(cutover::Name(goal), std::move(next));
    }
  }

  void Act() {
    const State& state = world_.drivers.at(i_).state;
    switch (state.phase) {
      case Phase::kReadRow:
        if (world_.new_row.epoch < bounds_.epochs) {
          Go("reads NEW's row", {.sight = SightOf(world_, rules_)}, world_);
        }
        return;
      case Phase::kLook: {
        World next = world_;
        next.drivers.at(i_).old_life = world_.old_life;
        next.drivers.at(i_).new_life = world_.new_life;
        return Go("looks", {.sight = SightOf(world_, rules_)}, next);
      }
      case Phase::kLock:
        return Lock(state);
      case Phase::kAwaitMarker:
        if (!world_.drivers.at(i_).marker_unapplied) Go("marker applied", {}, world_);
        return Go("gives up", {.abort_asked = true}, world_);
      case Phase::kFlushClosed:
        return FlushClosed(state);
      case Phase::kFlushOpened: {
        World next = world_;
        Flush(&next, state.closing == Side::kOld ? Side::kNew : Side::kOld);
        return Go("the standbys have it", {}, next);
      }
      default:
        return;
    }
  }

  void Lock(const State& state) {
    World next = world_;
    int8_t& lock = state.closing == Side::kOld ? next.old_lock : next.new_lock;
    if (lock < 0) {
      lock = static_cast<int8_t>(i_);
      Go("locks", {}, next);
    }
    Go("gets no locks", {.outcome = Outcome::kFailed}, world_);
  }

  void FlushClosed(const State& state) {
    const Driver& driver = world_.drivers.at(i_);
    const bool same = state.closing == Side::kOld ? driver.old_life == world_.old_life
                                                  : driver.new_life == world_.new_life;
    if (!same && rules_.looks_after_flush) {
      return Go("sees another server", {.outcome = Outcome::kRefused}, world_);
    }
    World next = world_;
    if (rules_.waits_for_standbys) Flush(&next, state.closing);
    Go("the standbys have it", {}, next);
    if (!state.decided) Go("gives up", {.abort_asked = true}, world_);
  }

  void Send(Kind kind) {
    World next = world_;
    Driver& driver = next.drivers.at(i_);
    driver.awaits = kind;
    Add(&next, {.kind = kind,
                .session = static_cast<int8_t>(i_),
                .epoch = static_cast<int8_t>(driver.state.epoch),
                .life = ForOld(kind) ? driver.old_life : driver.new_life,
                .new_life = driver.new_life});
    Put(absl::StrCat("sends ", kKinds.at(static_cast<size_t>(kind)), "(", driver.state.epoch, ")"),
        std::move(next));
  }

  void Hear(Reply reply) {
    switch (reply) {
      case Reply::kDone:
        return Go("hears: done", {}, world_);
      case Reply::kRefused:
        return Go("hears: refused", {.outcome = Outcome::kRefused}, world_);
      default:
        return Go("hears nothing", {.outcome = Outcome::kLost}, world_);
    }
  }

  void Fail() {
    const Driver& driver = world_.drivers.at(i_);
    World dead = world_;
    --dead.faults;
    dead.drivers.at(i_) = Driver();
    const auto orphan = static_cast<int8_t>(i_ + 2);
    for (int8_t* lock : {&dead.old_lock, &dead.new_lock}) {
      if (*lock == i_) *lock = orphan;
    }
    for (Command& command : dead.commands) {
      if (command.session == i_) command.session = orphan;
    }
    Put("dies", std::move(dead));
    if (driver.awaits != Kind::kNone && driver.reply == Reply::kNone) {
      World lost = world_;
      --lost.faults;
      lost.drivers.at(i_).reply = Reply::kLost;
      Put("loses the answer", std::move(lost));
    }
  }

  const World& world_;
  const int i_;
  const Rules& rules_;
  const Bounds& bounds_;
  std::vector<Successor>& out_;
};

// --- what else happens

void FailOver(const World& world, const Rules& rules, std::vector<Successor>* out) {
  if (world.faults == 0) return;
  if (rules.new_fails_over && world.new_row != world.new_flushed) {
    World next = world;
    --next.faults;
    ++next.new_life;
    EndLock(&next, Kind::kCloseNew, &next.new_lock);
    const bool decision_lost = world.new_row.owns && !world.new_flushed.owns;
    next.forked = world.forked || (decision_lost && world.new_took);
    next.new_row = world.new_flushed;
    out->emplace_back("NEW fails over and loses its last commits", next);
  }
  if (rules.old_fails_over && world.old_row != world.old_flushed) {
    World next = world;
    --next.faults;
    ++next.old_life;
    EndLock(&next, Kind::kCloseOld, &next.old_lock);
    next.old_row = world.old_flushed;
    out->emplace_back("OLD fails over and loses its last commits", next);
  }
}

void Apply(World* world, Side from) {
  (from == Side::kOld ? world->new_lacks : world->old_lacks) = false;
  for (Driver& driver : world->drivers) {
    if (driver.state.closing == from) driver.marker_unapplied = false;
  }
}

void LiveOn(const World& world, std::vector<Successor>* out) {
  World next = world;
  if (OldAccepts(world) && !world.new_lacks) {
    next.new_lacks = true;
    out->emplace_back("the application writes OLD", next);
  }
  next = world;
  if (NewAccepts(world) && !(world.old_lacks && world.new_took)) {
    next.old_lacks = true;
    next.new_took = true;
    out->emplace_back("the application writes NEW", next);
  }
  for (const Side from : {Side::kOld, Side::kNew}) {
    next = world;
    Apply(&next, from);
    if (next != world)
      out->emplace_back(from == Side::kOld ? "NEW catches up" : "OLD catches up", next);
  }
  next = world;
  if (world.old_lock >= 0) {
    EndLock(&next, Kind::kCloseOld, &next.old_lock);
    out->emplace_back("OLD ends the provisional fence", next);
  }
  next = world;
  if (world.new_lock >= 0) {
    EndLock(&next, Kind::kCloseNew, &next.new_lock);
    out->emplace_back("NEW ends the provisional fence", next);
  }
}

// Forgets what no step can see any more.
void Tidy(World* world) {
  world->new_took = world->new_took && world->new_row.owns;
  for (Driver& driver : world->drivers) {
    driver.state.alarmed = false;
    if (driver.state.phase <= Phase::kLook) driver.marker_unapplied = false;
  }
}

std::string PackAsIs(const World& world) {
  std::string out;
  out.reserve(80);
  const auto put = [&out](auto value) { out.push_back(static_cast<char>(value)); };
  for (const OldRow& row : {world.old_row, world.old_flushed}) {
    put(row.fenced), put(row.epoch), put(row.new_life), put(row.told);
  }
  for (const NewRow& row : {world.new_row, world.new_flushed}) {
    put(row.owns), put(row.epoch), put(row.owner_epoch), put(row.owner_life);
  }
  put(world.old_lock), put(world.new_lock), put(world.old_life), put(world.new_life);
  put(world.new_lacks | world.old_lacks << 1 | world.new_took << 2 | world.forked << 3);
  put(world.faults), put(world.bad != nullptr);
  for (const Driver& driver : world.drivers) {
    const State& state = driver.state;
    put(driver.idle | driver.marker_unapplied << 1 | state.gated << 2 | state.decided << 3 |
        state.undoing << 4 | state.doubted << 5 | state.holding << 6);
    put(driver.awaits), put(driver.reply), put(driver.old_life), put(driver.new_life);
    put(state.phase), put(state.goal), put(state.closing), put(state.epoch), put(state.result);
  }
  for (const Command& command : world.commands) {
    if (command.kind == Kind::kNone) break;
    put(command.kind), put(command.session), put(command.epoch), put(command.life);
    put(command.new_life);
  }
  return out;
}

// The other driver's, alive or dead.
int8_t OtherSession(int8_t session) {
  return session < 0 ? session : static_cast<int8_t>(session ^ 1);
}

World Swapped(const World& world) {
  World swapped = world;
  std::swap(swapped.drivers[0], swapped.drivers[1]);
  swapped.old_lock = OtherSession(world.old_lock);
  swapped.new_lock = OtherSession(world.new_lock);
  for (Command& command : swapped.commands) command.session = OtherSession(command.session);
  Sort(&swapped);
  return swapped;
}

}  // namespace

bool OldAccepts(const World& world) { return !world.old_row.fenced && world.old_lock < 0; }
bool NewAccepts(const World& world) { return world.new_row.owns && world.new_lock < 0; }

World Begin(const Bounds& bounds) {
  World world;
  world.faults = static_cast<int8_t>(bounds.faults);
  return world;
}

std::vector<Successor> Successors(const World& world, const Rules& rules, const Bounds& bounds) {
  std::vector<Successor> out;
  for (const int i : {0, 1}) Driving(world, i, rules, bounds, &out).All();
  Serve(world, rules, &out);
  LiveOn(world, &out);
  FailOver(world, rules, &out);
  for (Successor& successor : out) Tidy(&successor.second);
  return out;
}

const char* Fault(const World& world, const Bounds& bounds) {
  if (world.bad != nullptr) return world.bad;
  if (OldAccepts(world) && NewAccepts(world)) return "both sides accept writes";
  const bool nobody = std::all_of(world.drivers.begin(), world.drivers.end(),
                                  [](const Driver& driver) { return driver.idle; });
  const bool closed = !OldAccepts(world) && !NewAccepts(world) && world.old_lock < 0 &&
                      world.new_lock < 0 && world.commands[0].kind == Kind::kNone;
  if (nobody && closed && world.faults == bounds.faults) {
    return "both sides are closed, though nothing failed";
  }
  return nullptr;
}

std::string Pack(const World& world) { return std::min(PackAsIs(world), PackAsIs(Swapped(world))); }

}  // namespace switchyard::model
