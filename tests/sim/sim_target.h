// A target database in memory: transactions, commits that a crash takes back, rows that it refuses,
// a quarantine. Looks at every commit whether what it holds is what the source held there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "common/base/wait/cancel.h"
#include "replayer/loop/ports.h"
#include "tests/sim/sim_source.h"
#include "tests/sim/world.h"

namespace switchyard::sim {

class SimTarget : public replayer::Target,
                  public replayer::InitialCopy,
                  public replayer::Chores,
                  public replayer::TrimSink {
 public:
  // `points`: as of where each mapped table was copied.
  SimTarget(World& world, const SimSource& source, eventlog::EventLog& log,
            const std::array<Lsn, kMapped>& points);

  // ---- As the replayer sees it.
  absl::Status Open() override;
  void Close() override;
  bool connected() const override { return connected_; }
  absl::StatusOr<records::StreamState> Load() override;
  absl::Status CatchUp() override;
  absl::Status BeginStreaming() override;
  void Stop(const absl::Status& cause, const std::string& reason) override;
  absl::StatusOr<replayer::Reading> LoadReading(const records::StreamState& state) override;
  bool LearnsFrom(const absl::Status&) override { return false; }
  absl::Status Apply(const changes::Batch& batch, replayer::Care care) override;
  const records::Position& position() const override { return position_; }
  bool in_transaction() const override { return open_.has_value(); }
  bool keeps_order() const override { return keeps_order_; }
  bool refused_by_hold() const override { return refused_by_hold_; }
  absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next) override;
  absl::StatusOr<bool> AwaitNotified(absl::Duration timeout) override;
  absl::StatusOr<Lsn> WalPosition() override;
  absl::StatusOr<bool> FlushedUpTo(Lsn wal) override;

  absl::Status Load(const records::StreamState& state, replayer::Drain& drain,
                    replayer::TrimSchedule& trims) override;
  absl::StatusOr<Lsn> LastPoint() override;
  absl::Status BeginRollForward() override;
  void EndRollForward() override {}
  absl::Status Derive(Lsn last) override;

  absl::Status Prepare() override { return Call("prepare"); }
  absl::Status Begin() override { return Call("begin_chores"); }
  absl::Status Step() override;
  bool resuming() const override { return false; }
  bool TakeReleased() override { return world_.faults && world_.random.OneIn(10); }
  absl::StatusOr<std::optional<int64_t>> KeepFrom() override;

  void Ask(const std::string& topic, int64_t before) override;

  // ---- As the world sees it.
  // The replayer's process is gone; its session lingers for a while.
  void Orphan();
  // The server ends; commits that were not flushed are gone.
  void CrashServer();
  // What was committed so far is on disk.
  void Flush() { flushed_ = kept_; }
  // False: a transaction that moves the stream's row is under way.
  bool SetHold(std::optional<Lsn> hold);
  void RetryQuarantine() { retry_asked_ = notified_ = true; }
  // It stands at the hold, and has said so.
  bool held() const { return kept_.held_at.has_value() && kept_.held_at == kept_.hold; }
  std::optional<Lsn> hold() const { return kept_.hold; }
  const records::Position& kept_position() const { return kept_.position; }
  int64_t commits() const { return commits_; }
  int64_t starts() const { return starts_; }

 private:
  // While a transaction has the stream's row.
  struct Lock {
    explicit Lock(bool* locked) : locked(locked) { *locked = true; }
    ~Lock() { *locked = false; }
    bool* locked;
  };
  // All that a commit keeps.
  struct State {
    std::array<SimTable, kMapped> rows;
    std::array<SimTable, kMapped> quarantine;
    records::Position position;
    records::Phase phase = records::Phase::kNew;
    Lsn copy_lsn;
    std::optional<Lsn> hold, held_at;
    std::map<uint32_t, std::string> relations;
    int64_t transactions = 0;
    uint64_t commit = 0;  // how many there were
  };

  absl::Status Call(std::string_view point);
  absl::Status Enter(records::Phase phase, bool may);
  absl::Status CheckPosition(const changes::Batch& batch, const State& state, bool moves);
  absl::Status Write(const changes::TableChanges& table, replayer::Care care, State* state);
  absl::Status Put(int table, const std::string& key, const SimRow& row, replayer::Care care,
                   State* state);
  SimRow Take(int table, const std::string& key, State* state);
  absl::Status Commit(State state);
  void CheckKept();
  std::string Difference(int table) const;

  World& world_;
  const SimSource& source_;
  eventlog::EventLog& log_;
  const std::array<Lsn, kMapped> points_;
  const bool keeps_order_;
  State kept_;                // as committed
  State flushed_;             // what a crash of the server leaves
  int64_t counted_from_ = 0;  // transactions before the position the stream began at
  // Of the session.
  bool connected_ = false;
  records::Position position_;
  std::optional<State> open_;  // the transaction that takes chunks
  bool refused_by_hold_ = false;
  bool locked_ = false;
  int lingers_ = 0;  // calls of Open that meet the session of a replayer that is gone
  bool retry_asked_ = false;
  bool notified_ = false;
  int64_t commits_ = 0;
  int64_t starts_ = 0;
};

}  // namespace switchyard::sim
