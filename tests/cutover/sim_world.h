// Two databases, the streams between them, three proxies, an application and time, all fake and
// driven by one seed. What every moment must show is looked at in every moment: at most one side
// accepts writes, and whoever owns has every acknowledged write.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "common/base/wait/clock.h"
#include "cutover/ports.h"

namespace switchyard::cutover {

// A mistake planted in the databases, the ports or the protocol, by the name the test gives it.
enum class Planted {
  kNone,
  kMarkerBeforeLocks,
  kSlotInsideThePause,
  kOwnerBeforeFence,
  kLagBySubtraction,
  kReverseAfterFlip,
  kFailedCheckIsClean,
  kProxyUnknown,
  kDecisionForgotten,
  kQuarantineAfterFlip,
  kOldRowNotCompared,
  kNewRowNotCompared,
  kOldOpenedWithoutCompare,
  kReadAgain,
  kStandbysNotWaitedFor,
  kHistoryNotAsked,
};

struct Trouble {
  bool kills = false;
  bool losses = false;  // of calls and answers; late commands
  bool failovers = false;
  bool stalls = false;      // replayer, standbys, checks: longer than writers may wait
  bool corruption = false;  // a row of the side that does not own is changed by hand
};

class SimWorld {
 public:
  static constexpr int kKeys = 8;
  static constexpr int kProxies = 3;

  struct Row {  // NEW's
    Side owner = Side::kOld;
    int64_t epoch = 0;
    int64_t owner_epoch = 0;
    int64_t owner_timeline = 0;
    bool at_work = false;
  };
  struct Old {
    int64_t epoch = 0;
    bool fenced = false;
    int64_t new_timeline = 0;
    int64_t told = 0;
  };
  struct Entry {
    int64_t lsn = 0;
    int key = -1;  // -1: a marker
    int value = 0;
  };
  struct Database {
    std::array<int, kKeys> rows = {};
    std::deque<Entry> log;  // what the other side has not applied
    int64_t lsn = 0;
    int64_t applied = 0;  // of it, by the other side
    bool captured = true;
    int lock = 0;  // driver whose transaction holds the provisional fence
    absl::Time locked_at;
    int64_t timeline = 1;
    absl::Time stalled_until;  // the replayer of its log
  };
  struct Proxy {
    Side side = Side::kOld;
    bool held = false;
  };

  SimWorld(uint64_t seed, Planted planted);

  // Something happens, or nothing; time passes.
  void Tick();
  // Up to `most` with even odds.
  int Upto(int most) { return static_cast<int>(random_() % static_cast<uint64_t>(most)); }
  bool Chance(int of_thousand) { return Upto(1000) < of_thousand; }
  // Uses up one of the faults of this run.
  bool Faulty(bool kind, int of_thousand);

  bool Accepts(Side side) const;
  Database& Of(Side side) { return databases.at(static_cast<size_t>(side)); }
  const Database& Of(Side side) const { return databases.at(static_cast<size_t>(side)); }
  void Violate(const std::string& what);

  // What the servers do with a command. Aborted: refused by its compare.
  absl::Status Take(int64_t from);
  absl::Status Close(Side side, int driver, const Decision& decision);
  absl::Status Open(Side side, const Decision& decision);
  int64_t WriteMarker(Side side);
  void Flush(Side side);
  void Apply(Side from, int entries);
  bool SameRows() const { return databases[0].rows == databases[1].rows; }
  // All of what is late arrives; both sides catch up.
  void Settle();
  // What must hold once all is at rest.
  void CheckAtRest();

  const Planted planted;
  FakeClock clock;
  Trouble trouble;
  int faults_left = 0;
  Row row;
  Row row_flushed;
  Old old_row;
  Old old_flushed;
  std::array<Database, 2> databases;
  std::array<Proxy, kProxies> proxies;
  std::array<int, kKeys> acknowledged = {};
  int writes = 0;
  int journalled = 0;
  std::vector<std::function<void()>> late;
  std::function<void()> others;    // another driver may act
  std::vector<int> dead;           // drivers
  absl::Time last_sign;            // of the driver that leads
  absl::Duration longest_closure;  // how long neither side accepted writes, at most
  bool failed_over = false;
  bool corrupted = false;
  bool forked = false;
  std::string violation;  // the first

 private:
  void Write();
  void WriteOn(Side side);
  void RetryQuarantine();
  void EndLocks();
  void FailOver();
  void Look();

  std::mt19937_64 random_;
  absl::Time closed_since_ = absl::InfiniteFuture();
};

}  // namespace switchyard::cutover
