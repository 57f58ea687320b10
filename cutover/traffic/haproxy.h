// An HAProxy (2.6 or newer) before Postgres as a traffic switch, through its runtime API: one
// backend with a server for OLD and one for NEW, of which one is ready and the other in
// maintenance.
//
// It passes bytes and knows no transactions, so it can hold nobody: while writers are to wait, its
// clients wait at the fence itself. Flip() makes the one server ready, takes the other out and ends
// its sessions: clients connect anew, to the owner. What it says is looked at in `show servers
// state`.
#pragma once

#include <string>
#include <utility>

#include "cutover/traffic/switch.h"

namespace switchyard::cutover {

struct HaProxyOptions {
  std::string name;
  std::string socket;  // of `stats socket PATH level admin`
  std::string backend;
  std::string old_server;
  std::string new_server;
  absl::Duration timeout = absl::Seconds(2);  // of each call
};

class HaProxy : public Switch {
 public:
  explicit HaProxy(HaProxyOptions options) : options_(std::move(options)) {}

  const std::string& name() const override { return options_.name; }
  absl::Status Verify(Side side, absl::Duration limit) override;
  // OK where it answers, and one server is ready.
  absl::Status Hold(int64_t epoch, absl::Duration limit) override;
  absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) override;
  // Nothing was held.
  absl::Status Resume(int64_t epoch, absl::Duration limit) override;

 private:
  struct Ready {
    bool old_server = false;
    bool new_server = false;
  };

  absl::StatusOr<std::string> Ask(const std::string& command, absl::Time deadline) const;
  absl::Status Tell(const std::string& command, absl::Time deadline) const;
  absl::StatusOr<Ready> Look(absl::Time deadline) const;
  const std::string& Server(Side side) const;
  absl::Time Deadline(absl::Duration limit) const;

  const HaProxyOptions options_;
};

}  // namespace switchyard::cutover
