// The end of a replayer that nobody feeds any more: once asked, it ends as soon as nothing more
// comes, or when it could do nothing for too long.
//
// Thread-compatible. `clock` must outlive it.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/base/wait/clock.h"

namespace switchyard::replayer {

struct DrainOptions {
  std::string stream;
  const Cancel* asked = nullptr;  // null: never
  absl::Duration idle;            // nothing came for so long: there is no more
  absl::Duration patience;        // without a working connection
};

class Drain {
 public:
  Drain(DrainOptions options, const Clock& clock);

  bool asked() const { return options_.asked != nullptr && options_.asked->requested(); }
  // After every wait for the log, `idle` when nothing came. Cancelled: all of it is applied.
  absl::Status EndIfDrained(bool idle);
  // It was EndIfDrained that ended the replayer.
  bool done() const { return done_; }

  // Something worked.
  void NoteWorking() { failing_since_ = clock_.Now(); }
  // Whether to give up after this failure; says so.
  bool GivesUp(const absl::Status& failed);

 private:
  const DrainOptions options_;
  const Clock& clock_;
  bool done_ = false;
  absl::Time busy_at_;        // something came, or was still to come
  absl::Time failing_since_;  // while asked
};

}  // namespace switchyard::replayer
