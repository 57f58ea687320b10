#include "operate/log_options.h"

#include <cstdlib>
#include <vector>

#include "common/base/strings.h"
#include "common/eventlog/check_log.h"

namespace switchyard::operate {

absl::StatusOr<eventlog::LogOptions> LogOptionsOf(const spec::MigrationFile& file) {
  eventlog::LogOptions options = {.sqlite_path = file.log.sqlite_path,
                                  .kafka = file.log.kafka,
                                  .single_broker = file.log.single_broker};
  for (const auto& [property, variable] : file.log.kafka_env) {
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0') {
      return absl::InvalidArgumentError(absl::StrCat("the environment variable ", variable,
                                                     " is not set; it must hold ", property));
    }
    options.kafka.emplace_back(property, value);
  }
  return options;
}

absl::Status RefuseBadLog(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const eventlog::LogOptions options, LogOptionsOf(file));
  if (!options.kafka.empty()) return eventlog::OpenEventLog(options, cancel).status();
  const std::vector<absl::Status> faults = eventlog::CheckEventLog(options, {}, cancel);
  return faults.empty() ? absl::OkStatus() : faults.front();
}

absl::StatusOr<std::unique_ptr<eventlog::EventLog>> OpenLog(const spec::MigrationFile& file,
                                                            const Cancel& cancel) {
  ASSIGN_OR_RETURN(const eventlog::LogOptions options, LogOptionsOf(file));
  return eventlog::OpenEventLog(options, cancel);
}

}  // namespace switchyard::operate
