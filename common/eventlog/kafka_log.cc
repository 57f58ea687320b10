#include "common/eventlog/kafka_log.h"

#include <utility>

#include "common/eventlog/kafka_admin.h"
#include "common/eventlog/kafka_client.h"
#include "common/eventlog/kafka_reader.h"
#include "common/eventlog/kafka_writer.h"
#include "common/eventlog/retry_unavailable.h"

namespace switchyard::eventlog {

absl::StatusOr<std::unique_ptr<KafkaLog>> KafkaLog::Open(const LogOptions& options,
                                                         const Cancel& cancel,
                                                         absl::Duration gone_after) {
  RETURN_IF_ERROR(CheckKafkaProperties(options.kafka));
  ASSIGN_OR_RETURN(auto admin,
                   KafkaAdmin::Open(options.kafka, options.single_broker, gone_after, cancel));
  return std::unique_ptr<KafkaLog>(new KafkaLog(options, std::move(admin), cancel));
}

KafkaLog::KafkaLog(LogOptions options, std::unique_ptr<KafkaAdmin> admin, const Cancel& cancel)
    : options_(std::move(options)), admin_(std::move(admin)), cancel_(cancel) {}

KafkaLog::~KafkaLog() = default;

absl::Status KafkaLog::CreateTopic(const std::string& topic) {
  return RetryWhileUnavailable(cancel_, "create Kafka topic " + topic,
                               [&] { return admin_->CreateTopic(topic); });
}

absl::StatusOr<TopicInfo> KafkaLog::Describe(const std::string& topic) {
  return admin_->Describe(topic);
}

absl::Status KafkaLog::AwaitTopic(const std::string& topic) {
  return RetryWhileUnavailable(cancel_, "find Kafka topic " + topic,
                               [&] { return admin_->CheckExists(topic); });
}

absl::StatusOr<std::unique_ptr<LogWriter>> KafkaLog::OpenWriter(const std::string& topic) {
  RETURN_IF_ERROR(AwaitTopic(topic));
  return KafkaWriter::Open(options_.kafka, topic, *admin_, cancel_);
}

absl::StatusOr<std::unique_ptr<LogReader>> KafkaLog::OpenReader(const std::string& topic,
                                                                Offset from) {
  RETURN_IF_ERROR(AwaitTopic(topic));
  return KafkaReader::Open(options_.kafka, topic, from, *admin_, cancel_);
}

absl::Status KafkaLog::Trim(const std::string& topic, Offset before) {
  return admin_->Trim(topic, before);
}

}  // namespace switchyard::eventlog
