#include "common/eventlog/event_log.h"
#include "common/eventlog/kafka_log.h"
#include "common/eventlog/sqlite_log.h"

namespace switchyard::eventlog {

absl::StatusOr<std::unique_ptr<EventLog>> OpenEventLog(const LogOptions& options,
                                                       const Cancel& cancel) {
  if (options.sqlite_path.empty() == options.kafka.empty()) {
    return absl::InvalidArgumentError(
        "a log needs either the path of a SQLite file or Kafka properties, not both");
  }
  if (options.kafka.empty()) return SqliteLog::Open(options.sqlite_path, cancel);
  return KafkaLog::Open(options, cancel);
}

}  // namespace switchyard::eventlog
