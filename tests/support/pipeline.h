// A migration under way between two databases, driven through the program as a user would.
//
//   Pipeline pipeline({.migration_file = file, .old_dsn = o, .new_dsn = n});
//   ASSERT_OK(pipeline.Prepare());            // what OLD's owner runs once
//   ASSERT_OK(pipeline.Start("run"));
//   ASSERT_OK(pipeline.AwaitCaughtUp());      // NEW has all that OLD had when this was called
//
// Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "tests/support/server/switchyard_process.h"

namespace switchyard::testing {

class Pipeline {
 public:
  struct Options {
    std::string migration_file;
    std::string old_dsn;
    std::string new_dsn;
    std::string stream;
    std::string log_folder;  // each role's output goes to ROLE.log here
  };
  explicit Pipeline(Options options) : options_(std::move(options)) {}

  // Runs on OLD what `switchyard check --print-setup` prints.
  absl::Status Prepare();
  // A role of the program: run, capture, replay. `name` tells two of a kind apart.
  absl::Status Start(const std::string& role, const std::string& fault = "",
                     const std::string& name = "");
  SwitchyardProcess* process(const std::string& name);  // null when not started
  // SIGKILL; no-op when it is not running.
  void Kill(const std::string& name);
  // SIGTERM to all, or to one; FailedPrecondition unless each ends with code 0 in time.
  absl::Status Stop();
  absl::Status Stop(const std::string& name);

  // The stream is in state streaming and holds every commit OLD had at the time of the call.
  // FailedPrecondition: a role ended, or the stream stopped, with the reason.
  absl::Status AwaitCaughtUp(absl::Duration deadline = absl::Seconds(120));
  // Rows and scopes NEW refused.
  absl::StatusOr<int64_t> Quarantined();
  std::vector<std::pair<std::string, std::string>> environment() const;
  std::string Log(const std::string& name) const;

 private:
  absl::StatusOr<bool> CaughtUp(const std::string& lsn);
  absl::Status CheckRoles();

  const Options options_;
  std::map<std::string, std::unique_ptr<SwitchyardProcess>> processes_;
};

// Makes a role on NEW with the rights that `check --print-setup-new` prints, less that to silence
// foreign keys and triggers. Both DSNs are their owners'; the result is NEW's DSN for that role.
// FailedPrecondition: `check` finds fault with it, or says that it may silence them.
absl::StatusOr<std::string> MakeRoleWithoutSilence(const std::string& migration_file,
                                                   const std::string& old_dsn,
                                                   const std::string& new_dsn);

}  // namespace switchyard::testing
