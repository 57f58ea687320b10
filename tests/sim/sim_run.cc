#include "tests/sim/sim_run.h"

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "replayer/loop/batch_reader.h"
#include "replayer/loop/replay_loop.h"
#include "tests/sim/sim_capture.h"
#include "tests/sim/sim_log.h"
#include "tests/sim/sim_source.h"
#include "tests/sim/sim_target.h"

namespace switchyard::sim {
namespace {

// A run that takes more does not get on.
constexpr int kTurnsMax = 20'000;

// Reads and applies in one thread: reads a little ahead while a batch is being applied.
class InlineBatches : public replayer::Batches {
 public:
  InlineBatches(World& world, const replayer::Reading& reading,
                std::unique_ptr<eventlog::LogReader> reader)
      : world_(world),
        reader_(std::move(reader)),
        batches_(reading, TheModelPlan(), *reader_, world) {}

  std::optional<changes::Batch> Next(absl::Duration timeout) override {
    const absl::Time deadline = world_.Now() + timeout;
    while (queue_.empty() && !ended_ && world_.Now() < deadline) Step(true);
    while (!queue_.empty() && queue_.size() < 2 && !ended_ && world_.random.OneIn(2)) Step(false);
    if (queue_.empty()) return std::nullopt;
    changes::Batch batch = std::move(queue_.front());
    queue_.pop_front();
    return batch;
  }
  void WantProgress(bool) override {}
  bool ended() const override { return ended_ && queue_.empty(); }
  absl::Status status() const override { return status_; }

 private:
  void Step(bool idle) {
    const auto goes_on = batches_.Step(
        [this](changes::Batch batch) {
          queue_.push_back(std::move(batch));
          return true;
        },
        [&] {
          using Wanted = replayer::BatchReader::Wanted;
          return idle && queue_.empty() ? Wanted::kChanges : Wanted::kNothing;
        });
    if (goes_on.ok()) return;
    ended_ = true;
    status_ = goes_on.status();
  }

  World& world_;
  const std::unique_ptr<eventlog::LogReader> reader_;
  replayer::BatchReader batches_;
  std::deque<changes::Batch> queue_;
  bool ended_ = false;
  absl::Status status_;
};

class Run {
 public:
  Run(uint64_t seed, Mutation mutation, SimStats* stats);

  void Go();
  World& world() { return world_; }
  void Count(SimStats* stats) const;

 private:
  enum class Phase { kWild, kHeld, kCatchUp, kDone };

  std::array<Lsn, kMapped> CopyTables();
  replayer::LoopOptions Options();
  void Others(absl::Duration duration);
  void Work();
  void WorkOfCapture();
  void Fault();
  void Operate();
  void Conclude();
  bool CaughtUp() const;
  bool EverythingIsSent() const;

  World world_;
  Cancel cancel_;
  Cancel drain_;
  SimSource source_;
  SimLog log_;
  SimTarget target_;
  std::unique_ptr<SimCapture> capture_;
  std::vector<std::unique_ptr<SimCapture>> replaced_;  // that don't know it yet
  Phase phase_ = Phase::kWild;
  int to_commit_;
  const int fault_one_in_;
  const bool drains_;
  int turns_ = 0;
  SimStats counted_;
};

Run::Run(uint64_t seed, Mutation mutation, SimStats* stats)
    : world_(seed, mutation),
      source_(world_),
      log_(world_, cancel_),
      target_(world_, source_, log_, CopyTables()),
      to_commit_(10 + world_.random.Below(50)),
      fault_one_in_(10 + world_.random.Below(100)),
      drains_(world_.random.OneIn(4)) {
  world_.crash_one_in = 30 + world_.random.Below(400);
  world_.others = [this](absl::Duration duration) { Others(duration); };
  if (stats != nullptr) world_.crashes = &stats->crashes;
}

// The slot is made, and the tables are copied as of it; one of them perhaps later.
std::array<Lsn, kMapped> Run::CopyTables() {
  Random& random = world_.random;
  for (int i = random.Below(6); i > 0; --i) source_.Commit();
  source_.slot_start = source_.confirmed = source_.confirmed_kept = source_.end();
  std::array<Lsn, kMapped> points;
  points.fill(source_.end());
  if (random.OneIn(2)) return points;
  for (int i = random.Below(8); i > 0; --i) source_.Commit();
  points[random.Below(kMapped)] = source_.end();
  return points;
}

replayer::LoopOptions Run::Options() {
  constexpr std::array<int, 4> kRows = {3, 10, 40, 1000};
  constexpr std::array<int, 3> kTrimMs = {0, 200, 2000};
  return {.stream = "sim",
          .change_topic = kChangeTopic,
          .copy_topic = kCopyTopic,
          .batch_rows_max = kRows[static_cast<size_t>(world_.random.Below(4))],
          .trim_interval = absl::Milliseconds(kTrimMs[static_cast<size_t>(world_.random.Below(3))]),
          .seed = world_.random.Next(),
          .drain = &drain_};
}

void Run::Go() {
  const replayer::LoopOptions options = Options();
  const replayer::Ports ports = {
      .target = target_,
      .copy = target_,
      .chores = target_,
      .trims = target_,
      .log = log_,
      .read =
          [this](const replayer::Reading& reading, std::unique_ptr<eventlog::LogReader> reader) {
            return std::make_unique<InlineBatches>(world_, reading, std::move(reader));
          },
      .clock = world_};
  while (true) {
    try {
      const absl::Status ended = replayer::ReplayLoop(options, ports, cancel_).Run();
      world_.Check(absl::IsCancelled(ended), [&] {
        return absl::StrCat("the stream stopped: ", std::string(ended.message()));
      });
      break;
    } catch (const Crash&) {
      target_.Orphan();
      Others(absl::Milliseconds(100));
    }
  }
  world_.Check(CaughtUp(), [&] {
    return absl::StrCat("it ended at ", target_.kept_position().lsn.ToString(), ", the source at ",
                        source_.end().ToString());
  });
}

void Run::Count(SimStats* stats) const {
  stats->source_transactions += static_cast<int64_t>(source_.wal().size());
  stats->target_commits += target_.commits();
  stats->starts += target_.starts();
  stats->captures += static_cast<int64_t>(source_.epoch);
  stats->holds += counted_.holds;
  stats->server_crashes += counted_.server_crashes;
}

bool Run::CaughtUp() const {
  return target_.kept_position().lsn >= source_.LastCommitBelow(source_.end());
}

void Run::Others(absl::Duration duration) {
  world_.Advance(duration);
  world_.Check(++turns_ < kTurnsMax, [&] {
    return absl::StrCat("it does not get on: it stands at ", target_.kept_position().lsn.ToString(),
                        ", the source at ", source_.end().ToString());
  });
  for (int i = 1 + world_.random.Below(5); i > 0; --i) Work();
  if (phase_ == Phase::kWild) {
    if (world_.random.OneIn(fault_one_in_)) Fault();
    if (world_.random.OneIn(15)) Operate();
  }
  Conclude();
}

void Run::Work() {
  const int what = world_.random.Below(10);
  if (what < 2 && to_commit_ > 0) {
    --to_commit_;
    source_.Commit();
  } else if (what < 7) {
    WorkOfCapture();
  } else if (what < 9) {
    log_.Work();
  } else {
    target_.Flush();
    source_.confirmed_kept = source_.confirmed;
  }
}

void Run::WorkOfCapture() {
  if (!replaced_.empty() && world_.random.OneIn(3)) {
    SimCapture& one = *replaced_.back();
    one.Step();
    if (one.idle() || !one.ok()) replaced_.pop_back();
    return;
  }
  if (capture_ != nullptr && !capture_->ok()) capture_.reset();
  if (capture_ == nullptr) capture_ = std::make_unique<SimCapture>(world_, source_, log_, cancel_);
  for (int i = world_.random.Below(8); i >= 0 && capture_->ok(); --i) capture_->Step();
}

void Run::Fault() {
  switch (world_.random.Below(4)) {
    case 0:
      capture_.reset();
      break;
    case 1:
      if (capture_ == nullptr || !capture_->ok()) break;
      capture_->LoseSlot();
      replaced_.push_back(std::move(capture_));
      break;
    case 2:  // the source; its slot goes back to what it has on disk
      capture_.reset();
      source_.confirmed = source_.confirmed_kept;
      break;
    default:
      ++counted_.server_crashes;
      target_.CrashServer();
  }
}

void Run::Operate() {
  if (world_.random.OneIn(3)) return target_.RetryQuarantine();
  if (target_.held()) ++counted_.holds;
  const Lsn from = target_.kept_position().lsn;
  const bool releases = target_.hold() && !world_.random.OneIn(3);
  target_.SetHold(releases ? std::nullopt : std::optional(source_.SomePoint(from)));
}

// Once nothing fails any more: a hold is met, and released; then all of it arrives.
void Run::Conclude() {
  const Lsn at = target_.kept_position().lsn;
  switch (phase_) {
    case Phase::kWild: {
      if (to_commit_ > 0) return;
      world_.faults = false;
      const Lsn hold = std::min(source_.SomePoint(Lsn(at.value() + 1)), source_.end());
      if (target_.SetHold(hold)) phase_ = Phase::kHeld;
      return;
    }
    case Phase::kHeld:
      if (!target_.held() && *target_.hold() > at) return;
      if (!target_.SetHold(std::nullopt)) return;
      ++counted_.holds;
      phase_ = Phase::kCatchUp;
      return;
    case Phase::kCatchUp:
      if (drains_ ? !EverythingIsSent() : !CaughtUp()) return;
      phase_ = Phase::kDone;
      (drains_ ? drain_ : cancel_).Request();
      return;
    case Phase::kDone:
      return;
  }
}

bool Run::EverythingIsSent() const {
  return capture_ != nullptr && capture_->ok() && capture_->idle() && !capture_->pending();
}

}  // namespace

SimResult Simulate(uint64_t seed, Mutation mutation, SimStats* stats) {
  Run run(seed, mutation, stats);
  try {
    run.Go();
  } catch (const Broken&) {
  }
  if (stats != nullptr) run.Count(stats);
  return {.broken = run.world().broken};
}

}  // namespace switchyard::sim
