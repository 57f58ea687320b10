// A program of the user's as a traffic switch: called for each of the four actions, OK where it
// ends with 0 in time.
//
//   /etc/switchyard/dns-switch flip      SWITCHYARD_SIDE=new SWITCHYARD_EPOCH=7
//
// Arguments: what is declared, then the action: verify, hold, flip, resume. The side is "old" or
// "new", empty for hold and resume; the epoch is empty for verify. It is called again after a lost
// answer, so each action is to be right to repeat; two calls of one epoch and action ask for the
// same. At its time-out the program is killed with all that it started: DeadlineExceeded for verify
// and hold, Unknown for flip and resume, which may have been done.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cutover/traffic/switch.h"

namespace switchyard::cutover {

struct CommandOptions {
  std::string name;
  std::vector<std::string> argv;  // the first is a path
  absl::Duration timeout = absl::Seconds(10);
};

class CommandSwitch : public Switch {
 public:
  explicit CommandSwitch(CommandOptions options) : options_(std::move(options)) {}

  const std::string& name() const override { return options_.name; }
  absl::Status Verify(Side side, absl::Duration limit) override;
  absl::Status Hold(int64_t epoch, absl::Duration limit) override;
  absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) override;
  absl::Status Resume(int64_t epoch, absl::Duration limit) override;

 private:
  struct Action {
    std::string name;
    std::string side;
    std::string epoch;
  };
  absl::Status Run(const Action& action, absl::Duration limit) const;

  const CommandOptions options_;
};

}  // namespace switchyard::cutover
