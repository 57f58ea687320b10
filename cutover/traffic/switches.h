// All switches of a migration as the one that the protocol drives: each call goes to all of them at
// once, each in a thread of its own, and is OK where every one of them did as asked.
//
//   Switches traffic(std::move(list), {.expected = 3});
//   RETURN_IF_ERROR(traffic.Hold(epoch, limit));   // all, or none
//
// Where `expected` is another number than there are, every call fails: one that nobody knows of
// would be one that nobody flips.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cutover/ports.h"
#include "cutover/traffic/switch.h"

namespace switchyard::cutover {

class Switches : public Traffic {
 public:
  Switches(std::vector<std::unique_ptr<Switch>> switches, int expected)
      : switches_(std::move(switches)), expected_(expected) {}

  absl::Status Verify(Side side, absl::Duration limit) override;
  absl::Status Hold(int64_t epoch, absl::Duration limit) override;
  absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) override;
  absl::Status Resume(int64_t epoch, absl::Duration limit) override;

 private:
  absl::Status All(const std::function<absl::Status(Switch&)>& call);

  const std::vector<std::unique_ptr<Switch>> switches_;
  const int expected_;
};

}  // namespace switchyard::cutover
