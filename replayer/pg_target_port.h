// The loop's Target on Postgres: a PgTarget and the stream's records beside it.
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "replayer/loop/ports.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

class PgTargetPort : public Target {
 public:
  // `learn_values`: see ReplayerOptions.
  PgTargetPort(std::string stream, PgTarget& target, const mapping::Plan& plan,
               std::function<absl::StatusOr<bool>()> learn_values);

  absl::Status Open() override { return target_.Open(); }
  void Close() override { target_.Close(); }
  bool connected() const override { return target_.connected(); }

  absl::StatusOr<records::StreamState> Load() override { return target_.stream().Load(); }
  absl::Status CatchUp() override { return target_.stream().CatchUp(); }
  absl::Status BeginStreaming() override { return target_.stream().BeginStreaming(); }
  void Stop(const absl::Status& cause, const std::string& reason) override;
  absl::StatusOr<Reading> LoadReading(const records::StreamState& state) override;
  bool LearnsFrom(const absl::Status& failed) override;

  absl::Status Apply(const changes::Batch& batch, Care care) override {
    return target_.Apply(batch, care);
  }
  const records::Position& position() const override { return target_.position(); }
  bool in_transaction() const override { return target_.in_transaction(); }
  bool keeps_order() const override { return target_.ordered() != nullptr; }
  bool refused_by_hold() const override { return target_.stream().refused_by_hold(); }
  absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next) override {
    return target_.stream().AnswerHold(next);
  }

  absl::StatusOr<bool> AwaitNotified(absl::Duration timeout) override;

  absl::StatusOr<Lsn> WalPosition() override { return target_.TargetWalPosition(); }
  absl::StatusOr<bool> FlushedUpTo(Lsn wal) override { return target_.FlushedUpTo(wal); }

 private:
  absl::Status DoubtUnreadable(const absl::Status& cause, const std::string& reason);

  const std::string stream_;
  PgTarget& target_;
  const mapping::Plan& plan_;
  const std::function<absl::StatusOr<bool>()> learn_values_;
};

}  // namespace switchyard::replayer
