// What the replayer's loop asks of the world, as interfaces: the loop decides, and knows neither a
// database nor a thread. The product's stand in replayer/pg_target_port.h, pg_initial_copy.h,
// pg_chores.h and trimmer.h; tests/sim has its own, in memory.
//
// Thread-compatible, all of them. Statuses: one for which MayPass (write/refusals.h) holds is tried
// again from the position the target has; any other stops the stream.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/clock.h"
#include "common/changes/batch.h"
#include "common/changes/batcher.h"
#include "common/eventlog/event_log.h"
#include "common/records/stream/position.h"
#include "common/records/stream/stream_store.h"
#include "proto/event.pb.h"
#include "replayer/write/modes.h"

namespace switchyard::replayer {

class Drain;
class TrimSchedule;

// From where a change topic is read on, and how.
struct Reading {
  records::Position position;
  changes::BatcherOptions batcher;
  std::vector<event::v1::Relation> relations;  // that were read before the position
  // Progress alone is handed over at most this often, unless it is wanted.
  absl::Duration progress_interval = absl::ZeroDuration();
};

// The database written to. Its position moves in the transaction that holds the rows.
class Target {
 public:
  virtual ~Target() = default;

  // Connects and reads the position. AlreadyExists: another replayer is at work.
  virtual absl::Status Open() = 0;
  virtual void Close() = 0;
  virtual bool connected() const = 0;

  virtual absl::StatusOr<records::StreamState> Load() = 0;
  // What the target shows is not, or no longer, of one point; or it is. Aborted: it has no position
  // yet, or nothing is derived.
  virtual absl::Status CatchUp() = 0;
  virtual absl::Status BeginStreaming() = 0;
  // Best effort, whatever is under way: a person reads the reason. Of a table whose values can't be
  // read any more nothing is read again before it is copied.
  virtual void Stop(const absl::Status& cause, const std::string& reason) = 0;
  // What was kept of the tables read so far; FailedPrecondition when one of them is in doubt and no
  // copy is asked for.
  virtual absl::StatusOr<Reading> LoadReading(const records::StreamState& state) = 0;
  // True: what could not be read may be now.
  virtual bool LearnsFrom(const absl::Status& failed) = 0;

  // One batch in one transaction; or one chunk, in the transaction that a later batch ends.
  // Aborted: the position moved or a hold was set. A status for which IsRefusedRow holds, of
  // Care::kNone: nothing was applied; Care::kCareful finds the rows and puts them in quarantine.
  // Unknown: in doubt.
  virtual absl::Status Apply(const changes::Batch& batch, Care care) = 0;
  // As committed last.
  virtual const records::Position& position() const = 0;
  // Chunks of a large transaction are in; its end is still to come.
  virtual bool in_transaction() const = 0;
  // Merged transactions may be refused where single ones are not.
  virtual bool keeps_order() const = 0;
  // Whether it was a hold that kept the last batch back, which may have been released since.
  virtual bool refused_by_hold() const = 0;
  // Where the stream is to be held, if at all. Tells whoever asked for it once it stands there: the
  // log was read up to there, or `next`, the first commit that is not applied (0: not known), is at
  // or past it.
  virtual absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next) = 0;

  // Whether somebody asked for something, or set, moved or released a hold, since the last call:
  // waits for it, `timeout` at most. May miss what somebody else than Switchyard's programs wrote.
  virtual absl::StatusOr<bool> AwaitNotified(absl::Duration timeout) = 0;

  // Of the target's own log. What was committed before WalPosition() gave `wal` survives a crash
  // of the target once FlushedUpTo(wal).
  virtual absl::StatusOr<Lsn> WalPosition() = 0;
  virtual absl::StatusOr<bool> FlushedUpTo(Lsn wal) = 0;
};

// The copy that the stream begins with.
class InitialCopy {
 public:
  virtual ~InitialCopy() = default;

  // Until every table is loaded: then the stream has a position, at the smallest copy point.
  virtual absl::Status Load(const records::StreamState& state, Drain& drain,
                            TrimSchedule& trims) = 0;
  // The largest copy point.
  virtual absl::StatusOr<Lsn> LastPoint() = 0;
  // From here to EndRollForward (or the target's end) nothing is derived from what is applied.
  virtual absl::Status BeginRollForward() = 0;
  virtual void EndRollForward() = 0;
  // All that is computed from the tables, which are of one point now; and state streaming.
  virtual absl::Status Derive(Lsn last) = 0;
};

// What is done between batches beside applying them.
class Chores {
 public:
  virtual ~Chores() = default;

  // Before the log is read, and once it is.
  virtual absl::Status Prepare() = 0;
  virtual absl::Status Begin() = 0;
  // What somebody asked for, and what has its time; never in a transaction of the target.
  virtual absl::Status Step() = 0;
  // A changed mapping is not derived yet: the target is not to be read.
  virtual bool resuming() const = 0;
  // The log is to be read again from the position. True once for each time.
  virtual bool TakeReleased() = 0;
  // The change topic must be kept from here on for other readers than the stream.
  virtual absl::StatusOr<std::optional<int64_t>> KeepFrom() = 0;
};

// Lets the log forget, whenever it may.
class TrimSink {
 public:
  virtual ~TrimSink() = default;
  // Returns at once. Records of `topic` below `before` are needed no more.
  virtual void Ask(const std::string& topic, int64_t before) = 0;
};

// Batches of one reading, in order.
class Batches {
 public:
  virtual ~Batches() = default;

  // The next batch; nullopt after `timeout`, or when reading has ended (see ended()).
  virtual std::optional<changes::Batch> Next(absl::Duration timeout) = 0;
  // Whether it matters how far the log was read, where that brought no change.
  virtual void WantProgress(bool wanted) = 0;
  // Reading has ended and every batch was taken: status() says why.
  virtual bool ended() const = 0;
  virtual absl::Status status() const = 0;
};

struct Ports {
  Target& target;
  InitialCopy& copy;
  Chores& chores;
  TrimSink& trims;
  eventlog::EventLog& log;
  std::function<std::unique_ptr<Batches>(Reading, std::unique_ptr<eventlog::LogReader>)> read;
  const Clock& clock;
};

}  // namespace switchyard::replayer
