// Looks at the event log of a migration for `status`: makes nothing, waits for nobody.
//
//   LogLook look(file, stream.change_topic, cancel);
//   operate::LogFacts facts = look.Now();   // again and again
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/spec/migration_file.h"
#include "operate/report/status.h"

namespace switchyard::operate {

class LogLook {
 public:
  // `file` and `cancel` must outlive it.
  LogLook(const spec::MigrationFile& file, std::string change_topic, const Cancel& cancel)
      : file_(file), change_topic_(std::move(change_topic)), cancel_(cancel) {}

  // Of that topic. A broker that does not answer takes some seconds.
  operate::LogFacts Now();

 private:
  operate::LogFacts OfFile() const;
  absl::StatusOr<int64_t> NextOffset();

  const spec::MigrationFile& file_;
  const std::string change_topic_;
  const Cancel& cancel_;
  std::unique_ptr<eventlog::EventLog> kafka_;  // null until asked for the first time
};

}  // namespace switchyard::operate
