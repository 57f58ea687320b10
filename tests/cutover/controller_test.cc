// The controller over fake databases in which nothing fails but what a test makes fail.
#include "cutover/controller.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "cutover/dry_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cutover/sim_ports.h"
#include "tests/support/status_matchers.h"

namespace switchyard::cutover {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Journals through another, and looks at the world before each line.
class WatchedJournal : public Journal {
 public:
  WatchedJournal(Journal* journal, std::function<void(const JournalEntry&)> look)
      : journal_(*journal), look_(std::move(look)) {}
  absl::Status Write(const JournalEntry& entry, absl::Duration limit) override {
    look_(entry);
    return journal_.Write(entry, limit);
  }
  absl::StatusOr<std::vector<JournalEntry>> ReadLast(absl::Duration limit) override {
    return journal_.ReadLast(limit);
  }

 private:
  Journal& journal_;
  std::function<void(const JournalEntry&)> look_;
};

// Asked for from the Nth look on.
class AbortAt : public AbortFlag {
 public:
  explicit AbortAt(int nth) : left_(nth) {}
  absl::StatusOr<std::string> AskedBy(int64_t, absl::Duration) override {
    return std::string(left_-- <= 0 ? "bob@host, 14:02:11" : "");
  }

 private:
  int left_;
};

class GreenGates : public GateSource {
 public:
  std::vector<Gate> Evaluate(Side, absl::Duration) override {
    return {{.name = "lag", .verdict = verdict, .observed = "9 s", .remedy = "wait"}};
  }
  Verdict verdict = Verdict::kGreen;
};

class ControllerTest : public ::testing::Test {
 protected:
  void SetUp() override { SetLogLevel(LogLevel::kError); }

  struct Driven {
    std::unique_ptr<SimPorts> sim;
    std::unique_ptr<Controller> controller;
  };

  // The ports of a driver of its own; what a test replaces is replaced.
  Driven Make(Goal goal, AbortFlag* abort = nullptr, Options options = {}) {
    Driven driven;
    driven.sim = std::make_unique<SimPorts>(&world_, ++drivers_);
    Ports ports = driven.sim->ports();
    options.operator_name = "ana";
    driven.controller = std::make_unique<Controller>(goal, With(ports, abort), std::move(options),
                                                     world_.clock, cancel_);
    return driven;
  }

  Ports With(const Ports& ports, AbortFlag* abort) {
    return {.lease = ports.lease,
            .old_record = ports.old_record,
            .old_fence = ports.old_fence,
            .new_fence = ports.new_fence,
            .old_server = ports.old_server,
            .new_server = ports.new_server,
            .sequences = ports.sequences,
            .streams = ports.streams,
            .traffic = ports.traffic,
            .canary = ports.canary,
            .journal = ports.journal,
            .standby = ports.standby,
            .abort = abort == nullptr ? never_ : *abort,
            .gates = gates_};
  }

  Report Run(Goal goal, AbortFlag* abort = nullptr) {
    const Driven driven = Make(goal, abort);
    while (driven.controller->Step()) {
    }
    EXPECT_EQ(world_.violation, "");
    return driven.controller->report();
  }

  std::vector<std::string> StepsOf(const Report& report) {
    std::vector<std::string> names;
    for (const StepReport& step : report.steps) names.emplace_back(Name(step.phase));
    return names;
  }

  SimWorld world_{1, Planted::kNone};
  Cancel cancel_;
  AbortAt never_{1 << 30};
  GreenGates gates_;
  int drivers_ = 0;
};

TEST_F(ControllerTest, CutsOver) {
  const Report report = Run(Goal::kToNew);
  EXPECT_EQ(report.result, Result::kDone) << report.why;
  EXPECT_EQ(report.owner, Side::kNew);
  EXPECT_TRUE(report.durable_change);
  EXPECT_THAT(report.alarms, IsEmpty());
  EXPECT_GT(report.pause, absl::ZeroDuration());
  EXPECT_THAT(
      StepsOf(report),
      ElementsAre("read row", "gates", "read row", "take epoch", "look", "move OLD's row",
                  "standby driver", "prove the way back", "hold proxies", "lock tables",
                  "write marker", "marker applied", "compare last keys", "set sequences", "close",
                  "close flushed", "check sequences", "open", "open flushed", "tell OLD",
                  "flip proxies", "canary", "canary back", "observe", "unload triggers", "rest"));
  EXPECT_TRUE(world_.Accepts(Side::kNew));
  EXPECT_FALSE(world_.Accepts(Side::kOld));
}

TEST_F(ControllerTest, GoesBack) {
  ASSERT_EQ(Run(Goal::kToNew).result, Result::kDone);
  const Report report = Run(Goal::kToOld);
  EXPECT_EQ(report.result, Result::kDone) << report.why;
  EXPECT_EQ(report.owner, Side::kOld);
  EXPECT_TRUE(world_.Accepts(Side::kOld));
  EXPECT_FALSE(world_.Accepts(Side::kNew));
}

TEST_F(ControllerTest, TenTimesOverAndBack) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(Run(Goal::kToNew).result, Result::kDone) << i;
    ASSERT_EQ(Run(Goal::kToOld).result, Result::kDone) << i;
  }
}

TEST_F(ControllerTest, TheSameCommandAgainFindsItDone) {
  ASSERT_EQ(Run(Goal::kToNew).result, Result::kDone);
  gates_.verdict = Verdict::kRed;
  const Report report = Run(Goal::kToNew);
  EXPECT_EQ(report.result, Result::kDone);
  EXPECT_FALSE(report.durable_change);
}

TEST_F(ControllerTest, ARedGateChangesNothing) {
  gates_.verdict = Verdict::kRed;
  const Report report = Run(Goal::kToNew);
  EXPECT_EQ(report.result, Result::kRefused);
  EXPECT_EQ(world_.row.epoch, 0);
  EXPECT_THAT(std::string(report.why.message()), HasSubstr("lag is red"));
}

TEST_F(ControllerTest, EveryStepIsJournalledBeforeItIsDone) {
  SimPorts sim(&world_, ++drivers_);
  const Ports ports = sim.ports();
  std::vector<std::string> steps;
  WatchedJournal journal(&ports.journal, [&](const JournalEntry& entry) {
    steps.push_back(entry.step);
    EXPECT_EQ(entry.epoch, 1);
    EXPECT_EQ(entry.operator_name, "ana");
    if (entry.step == "hold proxies") {
      EXPECT_FALSE(world_.proxies[0].held);
    }
    if (entry.step == "lock tables") {
      EXPECT_EQ(world_.Of(Side::kOld).lock, 0);
    }
    if (entry.step == "close") {
      EXPECT_FALSE(world_.old_row.fenced);
    }
    if (entry.step == "open") {
      EXPECT_EQ(world_.row.owner, Side::kOld);
    }
    if (entry.step == "flip proxies") {
      EXPECT_EQ(world_.proxies[0].side, Side::kOld);
    }
  });
  Controller controller(Goal::kToNew,
                        {.lease = ports.lease,
                         .old_record = ports.old_record,
                         .old_fence = ports.old_fence,
                         .new_fence = ports.new_fence,
                         .old_server = ports.old_server,
                         .new_server = ports.new_server,
                         .sequences = ports.sequences,
                         .streams = ports.streams,
                         .traffic = ports.traffic,
                         .canary = ports.canary,
                         .journal = journal,
                         .standby = ports.standby,
                         .abort = never_,
                         .gates = gates_},
                        {.operator_name = "ana"}, world_.clock, cancel_);
  while (controller.Step()) {
  }
  EXPECT_EQ(controller.report().result, Result::kDone);
  EXPECT_THAT(steps, ::testing::IsSupersetOf({"move OLD's row", "hold proxies", "lock tables",
                                              "write marker", "close", "open", "tell OLD",
                                              "flip proxies"}));
}

TEST_F(ControllerTest, UndoesItselfWhereTheMarkerDoesNotComeInTime) {
  world_.Of(Side::kOld).stalled_until = world_.clock.Now() + absl::Seconds(60);
  const Report report = Run(Goal::kToNew);
  EXPECT_EQ(report.result, Result::kAborted);
  EXPECT_EQ(report.owner, Side::kOld);
  EXPECT_FALSE(report.durable_change);
  EXPECT_THAT(std::string(report.why.message()), HasSubstr("marker"));
  EXPECT_TRUE(world_.Accepts(Side::kOld));
  EXPECT_LT(world_.longest_closure, absl::Milliseconds(2500));
  EXPECT_FALSE(world_.proxies[0].held);
}

TEST_F(ControllerTest, AnAbortWinsAtAnyStepBeforeTheOwnerChanges) {
  bool too_late = false;
  int aborts = 0;
  for (int nth = 0; !too_late; ++nth) {
    AbortAt abort(nth);
    const Report report = Run(Goal::kToNew, &abort);
    too_late = report.result == Result::kDone;
    if (too_late) break;
    ++aborts;
    EXPECT_THAT(report.result, ::testing::AnyOf(Result::kAborted, Result::kRefused));
    EXPECT_THAT(std::string(report.why.message()), HasSubstr("bob@host"));
    EXPECT_TRUE(world_.Accepts(Side::kOld)) << nth;
    EXPECT_FALSE(world_.proxies[0].held) << nth;
    EXPECT_FALSE(world_.row.at_work) << nth;
  }
  EXPECT_GE(aborts, 12);
}

TEST_F(ControllerTest, WhoComesAfterADriverThatDiedAnywhereMendsIt) {
  for (const Goal goal : {Goal::kToNew, Goal::kToOld}) {
    for (int steps = 1; steps < 26; ++steps) {
      Driven dies = Make(goal);
      for (int i = 0; i < steps && dies.controller->Step(); ++i) {
      }
      world_.dead.push_back(drivers_);
      world_.clock.Advance(absl::Seconds(5));
      const Report report = Run(Goal::kRecover);
      ASSERT_EQ(report.result, Result::kDone) << Name(goal) << " died after step " << steps;
      EXPECT_TRUE(world_.Accepts(*report.owner)) << steps;
      EXPECT_FALSE(world_.proxies[0].held) << steps;
      const Side from = goal == Goal::kToNew ? Side::kOld : Side::kNew;
      if (*report.owner != from) {
        ASSERT_EQ(Run(from == Side::kOld ? Goal::kToOld : Goal::kToNew).result, Result::kDone);
      }
    }
    ASSERT_EQ(Run(Goal::kToNew).result, Result::kDone);
  }
}

TEST_F(ControllerTest, TheSameCommandAgainAfterADriverThatDiedAnywhereEndsDone) {
  for (int steps = 1; steps < 26; ++steps) {
    Driven dies = Make(Goal::kToNew);
    for (int i = 0; i < steps && dies.controller->Step(); ++i) {
    }
    world_.dead.push_back(drivers_);
    world_.clock.Advance(absl::Seconds(5));
    ASSERT_EQ(Run(Goal::kToNew).result, Result::kDone) << steps;
    ASSERT_EQ(Run(Goal::kToOld).result, Result::kDone) << steps;
  }
}

TEST_F(ControllerTest, ASecondOperatorIsToldWhoIsAtWork) {
  Driven first = Make(Goal::kToNew);
  while (first.controller->state().phase != Phase::kHold) ASSERT_TRUE(first.controller->Step());
  const Report second = Run(Goal::kToNew);
  EXPECT_EQ(second.result, Result::kRefused);
  EXPECT_THAT(std::string(second.why.message()), HasSubstr("is at work under epoch 1"));
  while (first.controller->Step()) {
  }
  EXPECT_EQ(first.controller->report().result, Result::kDone);
}

TEST_F(ControllerTest, ADriverThatWakesUpLateIsRefusedAndTouchesNoProxy) {
  Driven zombie = Make(Goal::kToNew);
  while (zombie.controller->state().phase != Phase::kOpen) ASSERT_TRUE(zombie.controller->Step());
  ASSERT_EQ(Run(Goal::kRecover).owner, Side::kOld);
  while (zombie.controller->Step()) {
  }
  EXPECT_EQ(zombie.controller->report().result, Result::kSuperseded);
  EXPECT_TRUE(world_.Accepts(Side::kOld));
  EXPECT_FALSE(world_.Accepts(Side::kNew));
}

TEST_F(ControllerTest, ADryRunChangesNothingAndForecastsThePause) {
  SimPorts sim(&world_, ++drivers_);
  const Ports ports = With(sim.ports(), nullptr);
  DryRunOptions options;
  options.fenced_tables = 1000;
  const Rehearsal rehearsal = Rehearse(Goal::kToNew, ports, options, world_.clock, cancel_);
  EXPECT_EQ(rehearsal.report.result, Result::kDone) << rehearsal.report.why;
  EXPECT_FALSE(rehearsal.report.durable_change);
  EXPECT_GT(rehearsal.pause, absl::Milliseconds(40)) << "a thousand tables are to be closed";
  EXPECT_LT(rehearsal.pause, absl::Milliseconds(500));
  EXPECT_EQ(world_.row.epoch, 0);
  EXPECT_EQ(world_.old_row.epoch, 0);
  EXPECT_EQ(world_.journalled, 0);
  EXPECT_FALSE(world_.row.at_work);
  for (const SimWorld::Proxy& proxy : world_.proxies) {
    EXPECT_FALSE(proxy.held);
    EXPECT_EQ(proxy.side, Side::kOld);
  }
}

}  // namespace
}  // namespace switchyard::cutover
