#include "tests/cutover/sim_world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace switchyard::cutover {
namespace {

// A server ends the transaction that holds the locks of a driver it doesn't hear from.
constexpr absl::Duration kServerPatience = absl::Seconds(3);

}  // namespace

SimWorld::SimWorld(uint64_t seed, Planted planted)
    : planted(planted), clock(absl::FromUnixSeconds(1'700'000'000)), random_(seed) {
  Of(Side::kNew).captured = false;  // until the way back is proven
  last_sign = clock.Now();
}

void SimWorld::Violate(const std::string& what) {
  if (violation.empty()) violation = what;
}

bool SimWorld::Faulty(bool kind, int of_thousand) {
  if (!kind || faults_left == 0 || !Chance(of_thousand)) return false;
  --faults_left;
  return true;
}

bool SimWorld::Accepts(Side side) const {
  if (Of(side).lock != 0) return false;
  return side == Side::kOld ? !old_row.fenced : row.owner == Side::kNew;
}

void SimWorld::Look() {
  const bool old_accepts = Accepts(Side::kOld);
  const bool new_accepts = Accepts(Side::kNew);
  if (old_accepts && new_accepts) Violate("both sides accept writes");
  if (old_accepts != new_accepts) {
    const Side side = old_accepts ? Side::kOld : Side::kNew;
    if (Of(side).rows != acknowledged) {
      Violate(
          absl::StrCat(std::string(Name(side)), " accepts writes, and lacks acknowledged ones"));
    }
  }
  if (old_accepts || new_accepts) {
    closed_since_ = absl::InfiniteFuture();
  } else {
    closed_since_ = std::min(closed_since_, clock.Now());
    longest_closure = std::max(longest_closure, clock.Now() - closed_since_);
  }
}

void SimWorld::WriteOn(Side side) {
  if (!Accepts(side)) return;
  Database& database = Of(side);
  const int key = Upto(kKeys);
  database.rows.at(key) = ++writes;
  acknowledged.at(key) = writes;
  ++database.lsn;
  if (database.captured) {
    database.log.push_back({.lsn = database.lsn, .key = key, .value = writes});
  }
}

// Through a proxy; now and then by somebody who goes round them.
void SimWorld::Write() {
  if (Chance(50)) return WriteOn(Chance(500) ? Side::kOld : Side::kNew);
  const Proxy& proxy = proxies.at(Upto(kProxies));
  if (!proxy.held) WriteOn(proxy.side);
}

void SimWorld::Apply(Side from, int entries) {
  Database& source = Of(from);
  if (clock.Now() < source.stalled_until) return;
  Database& target = Of(Other(from));
  for (; entries > 0 && !source.log.empty(); --entries) {
    const Entry entry = source.log.front();
    source.log.pop_front();
    source.applied = entry.lsn;
    if (entry.key >= 0) target.rows.at(entry.key) = entry.value;
  }
}

// A parked row is written again as it is now; by the time it is, its side may own. The gate that
// every writer passes first tells.
void SimWorld::RetryQuarantine() {
  if (row.owner != Side::kOld || !Of(Side::kOld).log.empty()) return;
  const int key = Upto(kKeys);
  const int value = Of(Side::kNew).rows.at(key);
  const int64_t timeline = Of(Side::kNew).timeline;
  late.push_back([this, key, value, timeline, owner_epoch = row.owner_epoch] {
    if (timeline != Of(Side::kNew).timeline) return;  // its session ended with the server
    const bool passes = row.owner_epoch == owner_epoch || planted == Planted::kQuarantineAfterFlip;
    const bool flipped = row.owner == Side::kNew;
    if (passes && flipped) Of(Side::kNew).rows.at(key) = value;
  });
}

void SimWorld::EndLocks() {
  for (Database& database : databases) {
    if (database.lock == 0) continue;
    const bool orphan = std::find(dead.begin(), dead.end(), database.lock) != dead.end();
    const absl::Duration held = clock.Now() - database.locked_at;
    if ((orphan && Chance(50)) || held > kServerPatience || Faulty(trouble.losses, 2)) {
      database.lock = 0;
    }
  }
}

// What a standby did not have is gone, and so is every session.
void SimWorld::FailOver() {
  if (!Faulty(trouble.failovers, 3)) return;
  failed_over = true;
  if (Chance(500)) {
    const bool decision_lost = row.owner == Side::kNew && row_flushed.owner == Side::kOld;
    if (decision_lost && Of(Side::kNew).rows != Of(Side::kOld).rows) {
      forked = true;
      acknowledged = Of(Side::kOld).rows;
      Of(Side::kNew).rows = Of(Side::kOld).rows;
      Of(Side::kNew).log.clear();
    }
    row = row_flushed;
    ++Of(Side::kNew).timeline;
    Of(Side::kNew).lock = 0;
  } else {
    old_row = old_flushed;
    ++Of(Side::kOld).timeline;
    Of(Side::kOld).lock = 0;
  }
}

void SimWorld::Tick() {
  clock.Advance(absl::Microseconds(50 + Upto(400)));
  const int what = Upto(100);
  if (what < 40) {
    Write();
  } else if (what < 60) {
    Apply(Chance(500) ? Side::kOld : Side::kNew, 1 + Upto(8));
  } else if (what < 63) {
    RetryQuarantine();
  } else if (what < 67 && !late.empty()) {
    const auto arrives = late.begin() + Upto(static_cast<int>(late.size()));
    const std::function<void()> command = *arrives;
    late.erase(arrives);
    command();
  } else if (what < 69 && Faulty(trouble.stalls, 60)) {
    Of(Chance(500) ? Side::kOld : Side::kNew).stalled_until =
        clock.Now() + absl::Milliseconds(Upto(4000));
  } else if (what < 70 && Accepts(row.owner) && Faulty(trouble.corruption, 60)) {
    Of(Other(row.owner)).rows.at(Upto(kKeys)) = -1;
    corrupted = true;
  } else if (what < 85 && others) {
    others();
  }
  EndLocks();
  FailOver();
  Look();
}

absl::Status SimWorld::Take(int64_t from) {
  if (row.epoch != from) return absl::AbortedError("another driver took the epoch");
  row.epoch = from + 1;
  row.at_work = true;
  last_sign = clock.Now();
  return absl::OkStatus();
}

absl::Status SimWorld::Close(Side side, int driver, const Decision& decision) {
  Database& database = Of(side);
  if (database.lock != driver) return absl::AbortedError("the locks are not held any more");
  database.lock = 0;
  const int64_t looked_at =
      side == Side::kOld ? decision.old_history.timeline : decision.new_history.timeline;
  if (looked_at != database.timeline) return absl::AbortedError("another server");
  if (side == Side::kOld) {
    const bool compares = planted != Planted::kOldRowNotCompared;
    const bool same =
        old_row.epoch == decision.epoch && old_row.new_timeline == decision.new_history.timeline;
    if (compares && !same) return absl::AbortedError("OLD's row moved");
    old_row.fenced = true;
    return absl::OkStatus();
  }
  if (row.owner != Side::kNew || row.epoch != decision.epoch) {
    return absl::AbortedError("NEW's row moved");
  }
  if (!SameRows()) Violate("OLD takes over, and lacks writes of NEW");
  row.owner = Side::kOld;
  // Up to here the budget counts: what follows waits for as long as it is not safe to open OLD.
  closed_since_ = clock.Now();
  row.owner_epoch = decision.epoch;
  row.owner_timeline = Of(Side::kNew).timeline;
  return absl::OkStatus();
}

absl::Status SimWorld::Open(Side side, const Decision& decision) {
  const int64_t looked_at =
      side == Side::kOld ? decision.old_history.timeline : decision.new_history.timeline;
  if (looked_at != Of(side).timeline) return absl::AbortedError("another server");
  if (side == Side::kOld) {
    const bool compares = planted != Planted::kOldOpenedWithoutCompare;
    const bool later = std::pair(old_row.new_timeline, old_row.epoch) <
                       std::pair(decision.new_history.timeline, decision.epoch);
    if (compares && !later) return absl::AbortedError("OLD's row moved");
    if (forked && old_row.fenced) Violate("OLD was reopened, and NEW lost writes with a decision");
    old_row.epoch = decision.epoch;
    old_row.new_timeline = decision.new_history.timeline;
    old_row.fenced = false;
    Look();
    return absl::OkStatus();
  }
  const bool compares = planted != Planted::kNewRowNotCompared;
  if (row.owner != Side::kOld || (compares && row.epoch != decision.epoch)) {
    return absl::AbortedError("NEW's row moved");
  }
  if (!SameRows()) Violate("NEW takes over, and lacks writes of OLD");
  row.owner = Side::kNew;
  row.owner_epoch = decision.epoch;
  row.owner_timeline = Of(Side::kNew).timeline;
  Look();
  return absl::OkStatus();
}

int64_t SimWorld::WriteMarker(Side side) {
  Database& database = Of(side);
  ++database.lsn;
  if (database.captured) database.log.push_back({.lsn = database.lsn});
  return database.lsn;
}

void SimWorld::Flush(Side side) {
  if (planted == Planted::kStandbysNotWaitedFor) return;
  if (side == Side::kOld) old_flushed = old_row;
  if (side == Side::kNew) row_flushed = row;
}

void SimWorld::Settle() {
  faults_left = 0;
  while (!late.empty()) {
    const std::function<void()> command = late.back();
    late.pop_back();
    command();
    Look();
  }
  for (const Side side : {Side::kOld, Side::kNew}) {
    Of(side).stalled_until = clock.Now();
    Of(side).lock = 0;
    Apply(side, 1 << 20);
  }
  Look();
}

void SimWorld::CheckAtRest() {
  if (Accepts(Side::kOld) == Accepts(Side::kNew)) Violate("not exactly one side accepts writes");
  for (const Proxy& proxy : proxies) {
    if (proxy.held || proxy.side != row.owner) Violate("a proxy stands elsewhere at the end");
  }
  if (Of(row.owner).rows != acknowledged) Violate("the owner lacks writes");
  if (!corrupted && Of(Side::kNew).captured && !SameRows()) {
    Violate("the side that does not own lacks writes");
  }
}

}  // namespace switchyard::cutover
