// Several roles in one process, a thread each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"

namespace switchyard::cli {

struct RoleThread {
  std::string name;
  std::function<absl::Status(const Cancel& cancel)> run;
  std::string then;  // what becomes of the other roles when this one has to stop: for its log line
};

// Runs them all until `cancel` is requested or all have ended. One that ends early, because a
// person must act, does not take the others with it: that is the roles' own affair. The
// first error that is not Cancelled, else Cancelled or OK.
absl::Status RunRoles(const std::vector<RoleThread>& roles, const Cancel& cancel);

}  // namespace switchyard::cli
