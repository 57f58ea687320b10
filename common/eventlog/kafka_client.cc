#include "common/eventlog/kafka_client.h"

#include <array>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/kafka_properties.h"
#include "common/base/log.h"
#include "common/base/strings.h"

namespace switchyard::eventlog {
namespace {

bool IsSecret(std::string_view property) {
  for (const char* word : {"password", "secret", "key", "pem", "config", "token", "certificate"}) {
    if (property.find(word) != std::string_view::npos) return true;
  }
  return false;
}

absl::Status SetAll(rd_kafka_conf_t* conf, const KafkaProperties& properties) {
  for (const auto& [name, value] : properties) {
    std::array<char, 512> error{};
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      return absl::InvalidArgumentError(
          absl::StrFormat("Kafka property %s: %s", name,
                          IsSecret(name) ? "not a value it can take" : error.data()));
    }
  }
  return absl::OkStatus();
}

// librdkafka's own lines repeat with every attempt to connect; what a person needs of them is in
// the warnings of the caller.
void LogLine(const rd_kafka_t* /*client*/, int /*level*/, const char* facility, const char* text) {
  LogDebug("kafka", text, {{"facility", facility}});
}

}  // namespace

absl::Status CheckKafkaProperties(const KafkaProperties& user) {
  bool has_servers = false;
  for (const auto& [name, value] : user) {
    if (name == "bootstrap.servers" || name == "metadata.broker.list") {
      has_servers = !value.empty();
    }
    if (IsFixedKafkaProperty(name)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "Kafka property %s cannot be set: that no change is lost hangs on its value", name));
    }
  }
  if (!has_servers)
    return absl::InvalidArgumentError("Kafka property bootstrap.servers is missing");
  return absl::OkStatus();
}

absl::StatusOr<KafkaPtr<rd_kafka_t>> NewKafkaClient(rd_kafka_type_t type,
                                                    const KafkaProperties& user,
                                                    const KafkaProperties& defaults,
                                                    const KafkaProperties& fixed) {
  KafkaPtr<rd_kafka_conf_t> conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), &LogLine);
  RETURN_IF_ERROR(
      SetAll(conf.get(), {{"client.id", "switchyard"}, {"log.connection.close", "false"}}));
  RETURN_IF_ERROR(SetAll(conf.get(), defaults));
  RETURN_IF_ERROR(SetAll(conf.get(), user));
  RETURN_IF_ERROR(SetAll(conf.get(), fixed));
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  std::array<char, 512> error{};
  KafkaPtr<rd_kafka_t> client(rd_kafka_new(type, conf.get(), error.data(), error.size()));
  if (client == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("Kafka properties do not make a client: %s", error.data()));
  }
  static_cast<void>(conf.release());  // the client owns it now
  return client;
}

bool IsUnknownTopic(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

bool IsAuthenticationError(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

namespace {

std::string_view StepFor(rd_kafka_resp_err_t code) {
  if (IsAuthenticationError(code)) {
    return "correct sasl.mechanism, sasl.username and the password under log.kafka";
  }
  switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "let the user that log.kafka names create, describe, read, write and delete topics of "
             "this migration (kafka-acls.sh)";
    case RD_KAFKA_RESP_ERR__SSL:
      return "correct security.protocol and the ssl.* properties under log.kafka, or the broker's "
             "listener";
    default:
      return "correct the properties under log.kafka, or what the broker's own log says of it";
  }
}

}  // namespace

absl::Status KafkaError(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail) {
  const std::string text =
      absl::StrFormat("%s: %s (%s)", doing, detail.empty() ? rd_kafka_err2str(code) : detail,
                      rd_kafka_err2name(code));
  switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__NODE_UPDATE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    // Said by a broker that has just come up, too: see kGoneAfter.
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return absl::UnavailableError(text);
    default:
      return Refuse(text, StepFor(code));
  }
}

void KafkaTrouble::Drain(rd_kafka_queue_t* main_queue) {
  while (KafkaPtr<rd_kafka_event_t> event{rd_kafka_queue_poll(main_queue, 0)}) Note(event.get());
}

void KafkaTrouble::Note(rd_kafka_event_t* event) {
  if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR) return;
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    all_brokers_down_ = true;
    return;  // its text says less than the errors before it
  }
  text_ = rd_kafka_event_error_string(event);
  const absl::Status status = Refuse("Kafka: " + text_, StepFor(code));
  if (IsAuthenticationError(code)) authentication_ = status;
  if (code != RD_KAFKA_RESP_ERR__SSL) {
    tls_ = absl::OkStatus();
  } else if (tls_.ok()) {
    tls_ = status;
    tls_since_ = absl::Now();
  }
}

absl::Status KafkaTrouble::authentication() const {
  constexpr absl::Duration kLastingTrouble = absl::Seconds(1);
  if (!authentication_.ok()) return authentication_;
  return !tls_.ok() && absl::Now() - tls_since_ >= kLastingTrouble ? tls_ : absl::OkStatus();
}

void KafkaTrouble::Clear() { *this = KafkaTrouble(); }

}  // namespace switchyard::eventlog
