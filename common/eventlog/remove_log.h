// Takes what a migration put on a log away with it. Other topics stay as they are.
//
//   ASSIGN_OR_RETURN(std::vector<LogPart> parts, FindLogParts(options, topics, cancel));
//   for (const LogPart& part : parts) RETURN_IF_ERROR(RemoveLogPart(options, part, cancel));
//
// Thread safety: functions over values.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"

namespace switchyard::eventlog {

struct LogPart {
  std::string name;  // a Kafka topic, or the path of a file
  bool is_file = false;
};

// What there is of `topics`: Kafka's, or an SQLite file and what stands beside it. Makes nothing.
// FailedPrecondition: a file that holds other topics as well, or is no log; Unavailable: no answer.
absl::StatusOr<std::vector<LogPart>> FindLogParts(const LogOptions& options,
                                                  const std::vector<std::string>& topics,
                                                  const Cancel& cancel);

// OK also when it is gone already. FailedPrecondition: refused. Nobody may be using it.
absl::Status RemoveLogPart(const LogOptions& options, const LogPart& part, const Cancel& cancel);

}  // namespace switchyard::eventlog
