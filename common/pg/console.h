// The console of a pooler (PgBouncer's admin database), or a pool itself, asked in the simplest
// form of the protocol: text commands, no settings at start-up, no transaction.
//
//   ASSIGN_OR_RETURN(auto console, Console::Connect(dsn, deadline));
//   ASSIGN_OR_RETURN(const ConsoleRows rows, console->Run("SHOW DATABASES", deadline));
//   rows.at(0).at("paused")
//
// A command without an answer at its deadline is DeadlineExceeded, and the console is closed: what
// was asked may happen yet. Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::pg {

using ConsoleRows = std::vector<std::map<std::string, std::string, std::less<>>>;

class Console {
 public:
  // InvalidArgument: the connection string does not parse; Unavailable; DeadlineExceeded.
  static absl::StatusOr<std::unique_ptr<Console>> Connect(const std::string& dsn,
                                                          absl::Time deadline);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Rows of one command, by the names of their columns; none for one that gives no rows. A refusal
  // is FailedPrecondition with the console's own words, a lost connection Unavailable.
  absl::StatusOr<ConsoleRows> Run(std::string_view command, absl::Time deadline);

 private:
  struct Impl;
  explicit Console(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::pg
