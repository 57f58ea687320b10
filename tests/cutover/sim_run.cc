#include "tests/cutover/sim_run.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cutover/controller.h"
#include "tests/cutover/sim_ports.h"

namespace switchyard::cutover {
namespace {

constexpr absl::Duration kBudget = absl::Seconds(2);
constexpr absl::Duration kUndone = absl::Milliseconds(500);  // after the decision to undo
constexpr int kStepsMax = 2000;

struct Driver {
  Driver(SimWorld* world, int number, Goal goal, const Cancel& cancel)
      : ports(world, number),
        controller(goal, ports.ports(),
                   {.operator_name = "ana",
                    .pause_budget = kBudget,
                    .call_limit = absl::Milliseconds(200),
                    .tries = 30},
                   world->clock, cancel) {}
  SimPorts ports;
  Controller controller;
  bool busy = false;  // a call of it is under way: it wakes up when that ends
  bool over = false;
};

class Run {
 public:
  Run(uint64_t seed, Planted planted) : world_(seed, planted) {
    world_.trouble = {.kills = world_.Chance(400),
                      .losses = world_.Chance(500),
                      .failovers = world_.Chance(250),
                      .stalls = world_.Chance(300),
                      .corruption = world_.Chance(100)};
    world_.faults_left = world_.Upto(6);
    world_.others = [this] { Interleave(); };
    goals_left_ = 1 + world_.Upto(4);
  }

  SimResult Play() {
    for (int steps = 0; steps < kStepsMax && world_.violation.empty(); ++steps) {
      if (!StepOne() && !StartOne()) break;
    }
    Calm();
    result_.violation = world_.violation;
    return result_;
  }

 private:
  // A driver in the middle of a call of another's; one of those then is a zombie.
  void Interleave() {
    if (depth_ >= 2 || settling_) return;
    ++depth_;
    if (world_.Chance(30)) StartOne();
    const int steps = world_.Chance(100) ? 1 + world_.Upto(40) : 1;
    for (int i = 0; i < steps; ++i) StepOne();
    --depth_;
  }

  bool StartOne() {
    const auto alive = std::count_if(drivers_.begin(), drivers_.end(),
                                     [](const auto& driver) { return !driver->over; });
    if (alive >= 2) return false;
    if (takeovers_owed_ > 0) {
      --takeovers_owed_;
      ++result_.takeovers;
      return Start(Goal::kRecover);
    }
    if (goals_left_ == 0) return false;
    --goals_left_;
    const bool forward = world_.Chance(800) == (world_.row.owner == Side::kOld);
    return Start(world_.Chance(100) ? Goal::kRecover : forward ? Goal::kToNew : Goal::kToOld);
  }

  bool Start(Goal goal) {
    drivers_.push_back(
        std::make_unique<Driver>(&world_, static_cast<int>(drivers_.size()) + 1, goal, cancel_));
    return true;
  }

  bool StepOne() {
    const auto free = [](const auto& driver) { return !driver->over && !driver->busy; };
    const auto found = std::find_if(drivers_.rbegin(), drivers_.rend(), free);
    if (found == drivers_.rend()) return false;
    Step(found->get());
    return true;
  }

  void Step(Driver* driver) {
    driver->busy = true;
    try {
      driver->over = !driver->controller.Step();
    } catch (const Killed&) {
      driver->over = true;
      if (driver->ports.watched()) ++takeovers_owed_;
    }
    driver->busy = false;
    if (driver->over && !driver->ports.killed()) Count(*driver);
  }

  void Count(const Driver& driver) {
    const Report& report = driver.controller.report();
    const bool leads = world_.row.epoch == report.epoch;
    result_.ambiguous += report.result == Result::kAmbiguous ? 1 : 0;
    result_.undone += report.result == Result::kAborted ? 1 : 0;
    if (report.result != Result::kDone) return;
    const bool to_new = report.owner == Side::kNew;
    if (report.durable_change) ++(to_new ? result_.cutovers : result_.rollbacks);
    if (!leads || world_.failed_over) return;
    if (report.owner != world_.row.owner) world_.Violate("a driver ended with the wrong owner");
    // Whoever sees neither an alarm nor an error goes home.
    const bool all = std::all_of(
        world_.proxies.begin(), world_.proxies.end(),
        [&](const SimWorld::Proxy& proxy) { return proxy.side == *report.owner && !proxy.held; });
    // Another driver, if one is alive, may hold them by now.
    const auto alive = std::count_if(drivers_.begin(), drivers_.end(),
                                     [](const auto& other) { return !other->over; });
    if (!all && alive == 0 && world_.dead.empty() && report.alarms.empty()) {
      world_.Violate("done, but a proxy stands elsewhere");
    }
  }

  // Nothing fails any more: what is left comes to rest by itself, or is called ambiguous.
  void Calm() {
    if (!world_.violation.empty()) return;
    settling_ = true;
    const bool quiet = !world_.trouble.kills && !world_.trouble.losses && !world_.failed_over;
    if (quiet && world_.longest_closure > kBudget + kUndone) {
      world_.Violate(absl::StrCat("neither side accepted writes for ",
                                  absl::FormatDuration(world_.longest_closure)));
    }
    world_.trouble = {};
    Rest();
    // Those that slept through all of it wake up last.
    for (Driver* driver : Sleepers()) {
      while (!driver->over) Step(driver);
    }
    Rest();
  }

  std::deque<Driver*> Sleepers() const {
    std::deque<Driver*> sleepers;
    for (const auto& driver : drivers_) {
      if (!driver->over) sleepers.push_back(driver.get());
    }
    return sleepers;
  }

  void Rest() {
    world_.Settle();
    // Who says that it rests has left one side open, whatever arrived since.
    const bool accepts = world_.Accepts(Side::kOld) || world_.Accepts(Side::kNew);
    if (!world_.row.at_work && !accepts && !world_.failed_over) {
      world_.Violate("nobody is at work, and no side accepts writes");
    }
    for (int i = 0; i < 3 && !Recovered(); ++i) {
    }
    if (ambiguous_ && !world_.failed_over) {
      world_.Violate("ambiguous, though no server failed over");
    }
    world_.Settle();
    if (!ambiguous_) world_.CheckAtRest();
  }

  bool Recovered() {
    Start(Goal::kRecover);
    Driver* driver = drivers_.back().get();
    while (!driver->over) Step(driver);
    const Result result = driver->controller.report().result;
    ambiguous_ = result == Result::kAmbiguous;
    return ambiguous_ || result == Result::kDone;
  }

  SimWorld world_;
  const Cancel cancel_;
  std::deque<std::unique_ptr<Driver>> drivers_;
  int goals_left_ = 0;
  int takeovers_owed_ = 0;
  int depth_ = 0;
  bool settling_ = false;
  bool ambiguous_ = false;
  SimResult result_;
};

}  // namespace

SimResult RunSimulation(uint64_t seed, Planted planted) { return Run(seed, planted).Play(); }

}  // namespace switchyard::cutover
