// What the parts of KafkaLog share: librdkafka handles with owners, configuration, and
// librdkafka's errors as Status. librdkafka's header is included by the kafka_* files only.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::eventlog {

struct KafkaDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_DeleteTopic_t* topic) const { rd_kafka_DeleteTopic_destroy(topic); }
  void operator()(rd_kafka_ConfigResource_t* resource) const {
    rd_kafka_ConfigResource_destroy(resource);
  }
  void operator()(rd_kafka_DeleteRecords_t* records) const {
    rd_kafka_DeleteRecords_destroy(records);
  }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
template <typename T>
using KafkaPtr = std::unique_ptr<T, KafkaDeleter>;

using KafkaProperties = std::vector<std::pair<std::string, std::string>>;

// Every topic of a log has exactly one partition.
inline constexpr int32_t kKafkaPartition = 0;

// A client with `defaults`, then the user's properties, then `fixed`, which the user may not set.
// InvalidArgument names a property that is unknown, malformed or fixed, never the value of a
// secret one.
absl::StatusOr<KafkaPtr<rd_kafka_t>> NewKafkaClient(rd_kafka_type_t type,
                                                    const KafkaProperties& user,
                                                    const KafkaProperties& defaults,
                                                    const KafkaProperties& fixed);

// Properties the promises hang on: InvalidArgument when one of them is among the user's.
absl::Status CheckKafkaProperties(const KafkaProperties& user);

// `doing: <librdkafka's text>` with a code that tells what to do:
//   Unavailable         unreachable, no leader, timed out: may pass
//   FailedPrecondition  authentication, authorization, unsupported, anything else
absl::Status KafkaError(rd_kafka_resp_err_t code, std::string_view doing,
                        std::string_view detail = {});
bool IsUnknownTopic(rd_kafka_resp_err_t code);
// The credentials are wrong: waiting will not help.
bool IsAuthenticationError(rd_kafka_resp_err_t code);

// What librdkafka last said was wrong with the connection, taken from a client's main queue.
class KafkaTrouble {
 public:
  // Takes what is queued. Returns at once.
  void Drain(rd_kafka_queue_t* main_queue);
  void Note(rd_kafka_event_t* event);

  bool all_brokers_down() const { return all_brokers_down_; }
  // OK, or what a broker said about the credentials; about TLS only after a while, because a
  // broker that goes down in the middle of a handshake looks the same.
  absl::Status authentication() const;
  // For a warning: the last error's text, or "no answer".
  const std::string& text() const { return text_; }
  void Clear();

 private:
  bool all_brokers_down_ = false;
  absl::Status authentication_;
  absl::Status tls_;
  absl::Time tls_since_;
  std::string text_ = "no answer";
};

}  // namespace switchyard::eventlog
