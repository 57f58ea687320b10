// Looks at the event log of a migration for `status`: makes nothing, waits for nobody.
//
//   LogLook look(file, cancel);
//   operate::LogFacts facts = look.Now();   // again and again
//
// Thread-compatible.
#pragma once

#include <memory>

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/spec/migration_file.h"
#include "operate/report/status.h"

namespace switchyard::operate {

class LogLook {
 public:
  // Both must outlive it.
  LogLook(const spec::MigrationFile& file, const Cancel& cancel) : file_(file), cancel_(cancel) {}

  // Of the forward stream's change topic. A broker that does not answer takes some seconds.
  operate::LogFacts Now();

 private:
  operate::LogFacts OfFile() const;
  absl::StatusOr<int64_t> NextOffset();

  const spec::MigrationFile& file_;
  const Cancel& cancel_;
  std::unique_ptr<eventlog::EventLog> kafka_;  // null until asked for the first time
};

}  // namespace switchyard::operate
