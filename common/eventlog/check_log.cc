#include "common/eventlog/check_log.h"

#include "common/eventlog/kafka_admin.h"
#include "common/eventlog/kafka_client.h"
#include "common/eventlog/kafka_log.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {
namespace {

absl::StatusOr<std::unique_ptr<KafkaAdmin>> OpenAdmin(const LogOptions& options,
                                                      const Cancel& cancel) {
  RETURN_IF_ERROR(CheckKafkaProperties(options.kafka));
  return KafkaAdmin::Open(options.kafka, options.single_broker, kGoneAfter, cancel);
}

}  // namespace

std::vector<absl::Status> CheckEventLog(const LogOptions& options,
                                        const std::vector<std::string>& topics,
                                        const Cancel& cancel) {
  std::vector<absl::Status> faults;
  const auto add = [&](const absl::Status& status) {
    if (!status.ok()) faults.push_back(status);
    return status.ok();
  };
  if (options.kafka.empty()) {
    add(CheckLogPath(options.sqlite_path));
    return faults;
  }
  const auto admin = OpenAdmin(options, cancel);
  if (!add(admin.status())) return faults;
  for (const std::string& topic : topics) {
    const absl::Status status = (*admin)->CheckTopic(topic);
    add(status);
    // The same would be said of every topic, after as long a wait.
    if (absl::IsUnavailable(status) || absl::IsCancelled(status)) break;
  }
  return faults;
}

}  // namespace switchyard::eventlog
