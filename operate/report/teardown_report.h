// What `teardown` removed, would remove, or had to leave. Pure.
//
// Thread safety: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace switchyard::operate {

struct TeardownStep {
  enum class Side { kOld, kNew, kLog };
  Side side = Side::kOld;
  std::string what;       // "replication slot switchyard_shop_forward"
  std::string statement;  // SQL with its semicolon; of the log, a command
  std::string owner;      // who may run it, where that is known
  std::string left;       // why it is still there; empty: it is gone, or was only shown
};

struct TeardownReport {
  std::string migration;
  std::string mirror_schema;  // of NEW
  bool shown_only = false;    // nothing was removed
  // The side that was not looked at, because it is said to be gone for good.
  std::optional<TeardownStep::Side> without;
  std::vector<TeardownStep> steps;   // in order
  std::vector<std::string> notes;    // what stays, and why
  std::vector<std::string> workers;  // roles that run, which keep it from being done

  bool complete() const;  // nothing was left
};

// Of one that was only shown: a script, a comment before each statement that needs one.
std::string TeardownText(const TeardownReport& report);
// The words of message TeardownResult in proto/control.proto.
std::string TeardownJson(const TeardownReport& report);

}  // namespace switchyard::operate
