// One thing that stands between clients and databases, and can be pointed at either: a pooler, a
// proxy, whatever a command turns.
//
// The time-out of each call is the switch's own; `limit` bounds it further. Right to call again in
// any state. A call of another thread than the last one's is fine, two at once are not.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "cutover/side.h"

namespace switchyard::cutover {

class Switch {
 public:
  virtual ~Switch() = default;
  virtual const std::string& name() const = 0;  // of the migration file
  // OK: it answers, holds nobody, and points at `side`.
  virtual absl::Status Verify(Side side, absl::Duration limit) = 0;
  // Clients wait. Where it can't be had in time, it is given up first: nobody waits.
  virtual absl::Status Hold(int64_t epoch, absl::Duration limit) = 0;
  // Points at `side` and lets clients go on; looked at, not believed.
  virtual absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) = 0;
  // Clients go on where they are.
  virtual absl::Status Resume(int64_t epoch, absl::Duration limit) = 0;
};

}  // namespace switchyard::cutover
