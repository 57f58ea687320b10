// Walks a cutover, rollback or recovery through the ports: journals a step, does it, asks the
// protocol for the next one.
//
//   Controller controller(Goal::kToNew, ports, {.operator_name = "ana"}, Clock::System(), cancel);
//   while (controller.Step()) {
//   }
//   const Report& report = controller.report();
//
// One thread. Whoever runs the same command again, in this process or another, takes a fresh epoch
// first and goes on from what the two rows say; the journal tells people what was under way.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/clock.h"
#include "cutover/gates.h"
#include "cutover/ports.h"
#include "cutover/protocol.h"

namespace switchyard::cutover {

struct StepReport {
  Phase phase = Phase::kReadRow;
  absl::Duration took;
  absl::Duration paused;  // how long writers have waited at its end; 0 outside the pause
  std::string problem;    // empty: none
};

struct Options {
  std::string operator_name;
  absl::Duration pause_budget = absl::Seconds(2);  // how long writers may wait
  LockOptions lock;                                // its limit is bounded by what the budget leaves
  absl::Duration call_limit = absl::Seconds(5);    // of one call outside the pause
  absl::Duration observe;                          // how long the user's checks run after the flip
  absl::Duration observe_interval = absl::Seconds(1);
  int tries = 60;  // of what must not be given up; the waits between them grow to a second
  std::vector<Acceptance> accepted;
  std::function<void(const StepReport&)> on_step;  // may be empty
};

struct Report {
  Result result = Result::kUnderWay;
  std::optional<Side> owner;  // nullopt: can't be told, or was not looked at
  int64_t epoch = 0;
  Handover handover;     // closed_lsn: the marker's
  absl::Duration pause;  // from holding the proxies until clients went on
  bool durable_change = false;
  absl::Status why;  // it did not end as it was meant to; OK where it did
  std::vector<StepReport> steps;
  std::vector<Gate> gates;
  std::vector<std::string> alarms;  // what went wrong and stopped nothing: a person looks
};

class Controller {
 public:
  // `ports`, `clock` and `cancel` outlive it. A request to `cancel` counts as an abort while that
  // is possible; afterwards the protocol is walked to its end.
  Controller(Goal goal, const Ports& ports, Options options, const Clock& clock,
             const Cancel& cancel);

  // One step; false where it is over.
  bool Step();

  const State& state() const { return state_; }
  const Report& report() const { return report_; }

 private:
  absl::Status Act(Event* event);
  absl::Status ActBefore();
  absl::Status StillLeads();
  absl::Status ActFlip();
  absl::Status ActAfter();
  absl::Status FlushOn(Side side);
  absl::Status EndPause(const absl::Status& clients_go_on);
  absl::Status PassGates();
  absl::Status ReadRow(Sight* sight);
  absl::Status Look(Sight* sight);
  absl::Status Observe();
  absl::Status Tell();
  absl::Status WriteJournal();
  bool MustGoOn() const;
  void ReadAbort(Event* event);
  void Note(const absl::Status& status, const Event& event, absl::Time started);
  void Advance(const Event& event, const absl::Status& status);
  void Finish();
  absl::Duration Limit() const;
  absl::Duration Paused() const;
  Side Owner() const;
  Fence& FenceOf(Side side) const;
  Server& ServerOf(Side side) const;

  Ports ports_;
  Options options_;
  const Clock& clock_;
  const Cancel& cancel_;
  const Cancel never_;
  State state_;
  Decision decision_;
  std::optional<absl::Time> pause_began_;
  Report report_;
};

}  // namespace switchyard::cutover
