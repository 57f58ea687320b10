// The administrative side of a Kafka log: making topics, checking their settings, their offsets,
// and dropping old records.
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/kafka_client.h"

namespace switchyard::eventlog {

// What the promises need of a topic's settings.
struct KafkaTopicSettings {
  int partitions = 0;
  int replication_factor = 0;
  std::map<std::string, std::string> configs;  // by name: as DescribeConfigs gives them
};
// FailedPrecondition names every setting that does not do, its value, and the one needed. Pure.
absl::Status CheckKafkaTopic(const std::string& topic, const KafkaTopicSettings& settings,
                             bool single_broker);

class KafkaAdmin {
 public:
  static absl::StatusOr<std::unique_ptr<KafkaAdmin>> Open(const KafkaProperties& properties,
                                                          bool single_broker,
                                                          absl::Duration gone_after,
                                                          const Cancel& cancel);

  // All: Unavailable when the cluster can't be reached within a few seconds; FailedPrecondition
  // when it refuses; Cancelled on shutdown.

  absl::Status CreateTopic(const std::string& topic);
  // What CreateTopic would say, without making it.
  absl::Status CheckTopic(const std::string& topic);
  // NotFound when there was no such topic for as long as `gone_after`.
  absl::StatusOr<TopicInfo> Describe(const std::string& topic);
  absl::Status CheckExists(const std::string& topic);
  absl::Status Trim(const std::string& topic, Offset before);
  // OK as well when there is none.
  absl::Status DeleteTopic(const std::string& topic);

 private:
  KafkaAdmin(KafkaPtr<rd_kafka_t> client, bool single_broker, absl::Duration gone_after,
             const Cancel& cancel);

  // Partitions and replication factor; NotFound when the broker asked knows no such topic.
  absl::StatusOr<KafkaTopicSettings> Metadata(const std::string& topic);
  // The same; NotFound when that was the answer for as long as gone_after_.
  absl::StatusOr<KafkaTopicSettings> SettledMetadata(const std::string& topic);
  absl::Status CheckSettings(const std::string& topic);
  absl::Status Make(const std::string& topic, bool only_ask);
  // Starts an operation that answers on the queue it is given, and waits for the answer.
  absl::StatusOr<KafkaPtr<rd_kafka_event_t>> Await(
      rd_kafka_admin_op_t operation, std::string_view doing,
      absl::FunctionRef<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)> start);
  // `status`, or the authentication error behind it.
  absl::Status Explain(const absl::Status& status);

  const KafkaPtr<rd_kafka_t> client_;
  const KafkaPtr<rd_kafka_queue_t> main_queue_;
  const bool single_broker_;
  const absl::Duration gone_after_;
  const Cancel& cancel_;
  Mutex mu_;
  KafkaTrouble trouble_ ABSL_GUARDED_BY(mu_);
};

}  // namespace switchyard::eventlog
