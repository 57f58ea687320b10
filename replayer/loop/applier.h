// Batches on their way into the target: kept back where the stream is held; looked into row by row
// where the target refuses one; transaction by transaction where it refuses merged ones.
//
//   applier.Begin(reading);
//   while (!applier.read_again()) ASSIGN_OR_RETURN(bool idle, applier.ApplyNext(*batches));
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/clock.h"
#include "common/changes/batch.h"
#include "replayer/loop/drain.h"
#include "replayer/loop/ports.h"

namespace switchyard::replayer {

class Applier {
 public:
  Applier(std::string stream, Target& target, Drain& drain, const Clock& clock,
          const Cancel& cancel);

  // Before the first batch that is read from where the target stands. Adds to the reading what went
  // before, by which batches are cut.
  void Begin(Reading* reading);
  // Waits for the next batch and applies it. True: nothing came. Aborted: start over.
  absl::StatusOr<bool> ApplyNext(Batches& batches);

  // The log is to be read again from the position: a hold was set, or reading ended.
  bool read_again() const { return read_again_; }
  void ReadAgain() { read_again_ = true; }
  // Somebody asked for something since the last call.
  bool TakeAsked() { return std::exchange(asked_, false); }
  // Of a table in doubt changes are left out.
  bool in_doubt() const { return in_doubt_; }

 private:
  absl::Status ApplyUnlessHeld(const changes::Batch& batch);
  absl::Status ApplyOne(const changes::Batch& batch);
  absl::Status Try(const changes::Batch& batch);
  bool IsHeldBack(const changes::Batch& batch) const;
  absl::Status AwaitRelease(const changes::Batch& batch);

  const std::string stream_;
  Target& target_;
  Drain& drain_;
  const Clock& clock_;
  const Cancel& cancel_;
  Lsn alone_until_;          // transactions up to here go one by one: merged, a row was refused
  Care care_ = Care::kNone;  // careful once a batch was refused, until one transaction is through
  bool in_doubt_ = false;    // see target/doubt.h
  bool read_again_ = false;  // from the position
  bool asked_ = false;
  std::optional<Lsn> hold_;  // as last seen
};

}  // namespace switchyard::replayer
