#include "tests/cutover/sim_ports.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace switchyard::cutover {

using absl::OkStatus;

void SimPorts::MayDie() {
  world_.Tick();
  if (killed_ || !world_.Faulty(world_.trouble.kills, 8)) return;
  killed_ = true;
  world_.dead.push_back(driver_);
  throw Killed();
}

absl::Status SimPorts::Call(absl::FunctionRef<absl::Status()> act) {
  MayDie();
  if (world_.Faulty(world_.trouble.losses, 8)) return absl::UnavailableError("no answer");
  absl::Status status = act();
  MayDie();
  return status;
}

absl::Status SimPorts::Command(const std::function<absl::Status()>& act) {
  MayDie();
  if (!world_.Faulty(world_.trouble.losses, 40)) {
    const absl::Status status = act();
    MayDie();
    return status;
  }
  switch (world_.Upto(4)) {
    case 0:
      return absl::UnavailableError("refused to connect");
    case 1:
      break;
    case 2:
      world_.late.emplace_back([act] { (void)act(); });
      break;
    default:
      (void)act();
  }
  MayDie();
  return absl::UnknownError("the answer was lost");
}

class SimPorts::SimLease : public Lease {
 public:
  explicit SimLease(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::StatusOr<Ownership> Read(absl::Duration) override {
    Ownership seen;
    const absl::Status status = p_.Call([&] {
      seen.owner = w_.row.owner;
      seen.epoch = std::max(w_.row.epoch, p_.pretended_epoch_);
      seen.owner_epoch = w_.row.owner_epoch;
      seen.new_history.timeline = w_.row.owner_timeline;
      seen.at_work = w_.row.at_work;
      seen.silence = w_.clock.Now() - w_.last_sign;
      return OkStatus();
    });
    if (!status.ok()) return status;
    if (w_.planted == Planted::kDecisionForgotten) {
      if (!first_.has_value()) first_ = seen.owner;
      seen.owner = *first_;
    }
    return seen;
  }

  absl::Status Take(int64_t from, absl::Duration) override {
    if (w_.planted == Planted::kReadAgain && p_.led_) {
      p_.pretended_epoch_ = from + 1;
      return OkStatus();
    }
    const absl::Status status = p_.Command([&world = w_, from] { return world.Take(from); });
    if (status.ok()) p_.led_ = true;
    return status;
  }

  absl::Status Rest(int64_t epoch, absl::Duration) override {
    return p_.Call([&] {
      if (w_.row.epoch != epoch) return absl::AbortedError("another epoch leads");
      w_.row.at_work = false;
      return OkStatus();
    });
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
  std::optional<Side> first_;
};

class SimPorts::SimOldRecord : public OldRecord {
 public:
  explicit SimOldRecord(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::StatusOr<OldRow> Read(absl::Duration) override {
    OldRow seen;
    const absl::Status status = p_.Call([&] {
      seen.epoch = w_.old_row.epoch;
      seen.fenced = w_.old_row.fenced;
      seen.told_owner_epoch = w_.old_row.told;
      // A driver that doesn't ask finds what it would like to.
      seen.new_history.timeline = w_.planted == Planted::kHistoryNotAsked
                                      ? w_.Of(Side::kNew).timeline
                                      : w_.old_row.new_timeline;
      return OkStatus();
    });
    if (!status.ok()) return status;
    return seen;
  }

  absl::Status Tell(const Ownership& ownership, absl::Duration) override {
    return p_.Command([&world = w_, epoch = ownership.owner_epoch] {
      if (world.old_row.told > epoch) return absl::AbortedError("told of a later one");
      world.old_row.told = epoch;
      return OkStatus();
    });
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
};

class SimPorts::SimFence : public Fence {
 public:
  SimFence(SimPorts* ports, Side side) : p_(*ports), w_(ports->world_), side_(side) {}

  absl::Status Lock(const LockOptions&) override {
    // Here the locks are taken once the marker was found: SetAhead() below.
    if (w_.planted == Planted::kMarkerBeforeLocks) return OkStatus();
    if (w_.planted == Planted::kSlotInsideThePause) {
      w_.clock.Advance(absl::Milliseconds(w_.Upto(5000)));  // for the oldest transaction
    }
    return TakeLocks();
  }

  absl::Status TakeLocks() {
    return p_.Call([&] {
      SimWorld::Database& database = w_.Of(side_);
      if (database.lock != 0) return absl::DeadlineExceededError("locked by another driver");
      database.lock = p_.driver_;
      database.locked_at = w_.clock.Now();
      return OkStatus();
    });
  }

  absl::StatusOr<std::vector<Holder>> Holders(absl::Duration) override {
    return std::vector<Holder>();
  }

  void Release() override {
    p_.MayDie();
    if (w_.Of(side_).lock == p_.driver_) w_.Of(side_).lock = 0;
  }

  absl::Status Close(const Decision& decision, absl::Duration) override {
    if (side_ == Side::kOld && w_.planted == Planted::kOwnerBeforeFence) {
      p_.close_owed_ = true;
      p_.owed_ = decision;
      return OkStatus();
    }
    // Whatever became of it, its transaction ends with its session.
    const absl::Status status =
        p_.Command([&world = w_, side = side_, driver = p_.driver_, decision] {
          return world.Close(side, driver, decision);
        });
    const bool never_sent = absl::IsUnavailable(status);
    if (never_sent && w_.Of(side_).lock == p_.driver_) w_.Of(side_).lock = 0;
    return status;
  }

  absl::Status Open(const Decision& decision, absl::Duration) override {
    const absl::Status status =
        p_.Command([&world = w_, side = side_, decision] { return world.Open(side, decision); });
    if (side_ == Side::kNew && p_.close_owed_) {
      p_.close_owed_ = false;
      p_.MayDie();
      (void)w_.Close(Side::kOld, p_.driver_, p_.owed_);
    }
    return status;
  }

  absl::Status Unload(absl::Duration) override {
    return p_.Call([] { return OkStatus(); });
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
  const Side side_;
};

class SimPorts::SimServer : public Server {
 public:
  SimServer(SimPorts* ports, Side side) : p_(*ports), w_(ports->world_), side_(side) {}

  absl::StatusOr<History> ReadHistory(absl::Duration) override {
    History history;
    const absl::Status status = p_.Call([&] {
      history.timeline = w_.Of(side_).timeline;
      return OkStatus();
    });
    if (!status.ok()) return status;
    return history;
  }

  absl::StatusOr<Lsn> WriteMarker(int64_t, absl::Duration) override {
    int64_t lsn = 0;
    const absl::Status status = p_.Call([&] {
      lsn = w_.WriteMarker(side_);
      return OkStatus();
    });
    if (!status.ok()) return status;
    return Lsn(static_cast<uint64_t>(lsn));
  }

  absl::Status AwaitStandbys(absl::Duration limit) override {
    return p_.Call([&] {
      if (w_.Faulty(w_.trouble.stalls, 50)) {
        w_.clock.Advance(limit);
        return absl::DeadlineExceededError("a standby is behind");
      }
      w_.Flush(side_);
      return OkStatus();
    });
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
  const Side side_;
};

class SimPorts::SimSequences : public Sequences {
 public:
  SimSequences(SimPorts* ports, SimFence* old_fence, SimFence* new_fence)
      : p_(*ports), w_(ports->world_), old_fence_(*old_fence), new_fence_(*new_fence) {}

  absl::Status SetAhead(Side closing, absl::Duration) override {
    const bool locks_owed = w_.planted == Planted::kMarkerBeforeLocks && w_.Of(closing).lock == 0;
    if (locks_owed) return (closing == Side::kOld ? old_fence_ : new_fence_).TakeLocks();
    return p_.Call([] { return OkStatus(); });
  }

  absl::Status CheckAhead(Side, absl::Duration) override {
    return p_.Call([&] {
      return w_.Faulty(w_.trouble.stalls, 50) ? absl::FailedPreconditionError("past its gap")
                                              : OkStatus();
    });
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
  SimFence& old_fence_;
  SimFence& new_fence_;
};

class SimPorts::SimStreams : public Streams {
 public:
  explicit SimStreams(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::StatusOr<Lsn> ProveRoundTrip(Side from, absl::Duration) override {
    const absl::Status status = p_.Call([&] {
      if (w_.planted != Planted::kReverseAfterFlip) w_.Of(from).captured = true;
      return OkStatus();
    });
    if (!status.ok()) return status;
    return Lsn(1);
  }

  absl::Status AwaitMarker(Side from, int64_t, Lsn marker, absl::Duration limit) override {
    const absl::Time until = w_.clock.Now() + limit;
    while (w_.clock.Now() < until) {
      bool applied = false;
      const absl::Status status = p_.Call([&] {
        w_.Apply(from, w_.Upto(4));
        const SimWorld::Database& source = w_.Of(from);
        applied = source.applied >= static_cast<int64_t>(marker.value());
        if (w_.planted == Planted::kLagBySubtraction) {
          applied = static_cast<int64_t>(marker.value()) - source.applied < 3;
        }
        return OkStatus();
      });
      if (!status.ok() || applied) return status;
      if (w_.clock.Now() < w_.Of(from).stalled_until) w_.clock.Advance(absl::Milliseconds(20));
    }
    return absl::DeadlineExceededError("the marker is not applied");
  }

  absl::Status CompareRemaining(Side from, Lsn marker, absl::Duration) override {
    const absl::Status status = p_.Call([&] {
      const auto& log = w_.Of(from).log;
      if (!log.empty() && log.front().lsn < static_cast<int64_t>(marker.value())) {
        w_.Violate("the marker was taken for applied, and what was written before it is not");
      }
      return w_.SameRows() ? OkStatus() : absl::FailedPreconditionError("keys differ");
    });
    return w_.planted == Planted::kFailedCheckIsClean ? OkStatus() : status;
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
};

class SimPorts::SimTraffic : public Traffic {
 public:
  explicit SimTraffic(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::Status Verify(Side, absl::Duration) override { return OkStatus(); }

  absl::Status Hold(int64_t, absl::Duration) override {
    return Each([](SimWorld::Proxy* proxy) { proxy->held = true; });
  }

  absl::Status Flip(Side side, int64_t, absl::Duration) override {
    // Here the way back begins where it stands now, behind what was written on NEW already.
    if (w_.planted == Planted::kReverseAfterFlip && side == Side::kNew) {
      w_.Of(Side::kNew).captured = true;
    }
    return Each([side](SimWorld::Proxy* proxy) { *proxy = {.side = side}; });
  }

  absl::Status Resume(int64_t, absl::Duration) override {
    return Each([](SimWorld::Proxy* proxy) { proxy->held = false; });
  }

 private:
  absl::Status Each(absl::FunctionRef<void(SimWorld::Proxy*)> act) {
    absl::Status all = OkStatus();
    for (SimWorld::Proxy& proxy : w_.proxies) {
      const absl::Status status = p_.Call([&] {
        act(&proxy);
        return OkStatus();
      });
      if (!status.ok() && w_.planted != Planted::kProxyUnknown) all = status;
    }
    return all;
  }

  SimPorts& p_;
  SimWorld& w_;
};

class SimPorts::SimCanary : public Canary {
 public:
  explicit SimCanary(SimPorts* ports) : p_(*ports) {}
  absl::Status Write(Side, int64_t, absl::Duration) override { return Nothing(); }
  absl::Status SeenOnOther(Side, int64_t, absl::Duration) override { return Nothing(); }
  absl::Status RunChecks(Side, absl::Duration) override { return Nothing(); }

 private:
  absl::Status Nothing() {
    return p_.Call([] { return OkStatus(); });
  }
  SimPorts& p_;
};

class SimPorts::SimJournal : public Journal {
 public:
  explicit SimJournal(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::Status Write(const JournalEntry& entry, absl::Duration) override {
    return p_.Call([&] {
      ++w_.journalled;
      if (entry.epoch == w_.row.epoch) w_.last_sign = w_.clock.Now();
      return OkStatus();
    });
  }

  absl::StatusOr<std::vector<JournalEntry>> ReadLast(absl::Duration) override {
    return std::vector<JournalEntry>();
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
};

class SimPorts::SimStandby : public StandbyDriver {
 public:
  explicit SimStandby(SimPorts* ports) : p_(*ports) {}

  absl::Status Watch(int64_t, absl::Duration) override {
    return p_.Call([&] {
      p_.watched_ = true;
      return OkStatus();
    });
  }
  void Alive() override {}
  void Dismiss() override { p_.watched_ = false; }

 private:
  SimPorts& p_;
};

class SimPorts::SimAbort : public AbortFlag {
 public:
  explicit SimAbort(SimPorts* ports) : p_(*ports), w_(ports->world_) {}

  absl::StatusOr<std::string> AskedBy(int64_t, absl::Duration) override {
    const absl::Status status = p_.Call([] { return OkStatus(); });
    if (!status.ok()) return status;
    return std::string(w_.Chance(4) ? "somebody" : "");
  }

 private:
  SimPorts& p_;
  SimWorld& w_;
};

class SimPorts::SimGates : public GateSource {
 public:
  explicit SimGates(SimPorts* ports) : w_(ports->world_) {}

  std::vector<Gate> Evaluate(Side, absl::Duration) override {
    const Verdict verdict = w_.Chance(20) ? Verdict::kInconclusive : Verdict::kGreen;
    return {{.name = "lag", .verdict = verdict, .observed = "?", .remedy = "wait"}};
  }

 private:
  SimWorld& w_;
};

struct SimPorts::Parts {
  explicit Parts(SimPorts* p)
      : lease(p),
        old_record(p),
        old_fence(p, Side::kOld),
        new_fence(p, Side::kNew),
        old_server(p, Side::kOld),
        new_server(p, Side::kNew),
        sequences(p, &old_fence, &new_fence),
        streams(p),
        traffic(p),
        canary(p),
        journal(p),
        standby(p),
        abort(p),
        gates(p) {}

  SimLease lease;
  SimOldRecord old_record;
  SimFence old_fence;
  SimFence new_fence;
  SimServer old_server;
  SimServer new_server;
  SimSequences sequences;
  SimStreams streams;
  SimTraffic traffic;
  SimCanary canary;
  SimJournal journal;
  SimStandby standby;
  SimAbort abort;
  SimGates gates;
};

SimPorts::SimPorts(SimWorld* world, int driver)
    : world_(*world),
      driver_(driver),
      parts_(std::make_unique<Parts>(this)),
      ports_{.lease = parts_->lease,
             .old_record = parts_->old_record,
             .old_fence = parts_->old_fence,
             .new_fence = parts_->new_fence,
             .old_server = parts_->old_server,
             .new_server = parts_->new_server,
             .sequences = parts_->sequences,
             .streams = parts_->streams,
             .traffic = parts_->traffic,
             .canary = parts_->canary,
             .journal = parts_->journal,
             .standby = parts_->standby,
             .abort = parts_->abort,
             .gates = parts_->gates} {}

SimPorts::~SimPorts() = default;

}  // namespace switchyard::cutover
