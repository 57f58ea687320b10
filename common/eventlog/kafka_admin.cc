#include "common/eventlog/kafka_admin.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"

namespace switchyard::eventlog {
namespace {

constexpr int kRequestMs = 2000;
// Blocking calls of librdkafka end neither on shutdown nor on a wrong password, so they are cut.
constexpr int kSliceMs = 250;
constexpr int kReplicationFactor = 3;
// A replayer may be down for as long without losing its place.
constexpr int64_t kRetentionMsMin = 7LL * 24 * 3600 * 1000;
// librdkafka sends batches of up to message.max.bytes, which is this by default.
constexpr int64_t kMessageBytesNeeded = 1'000'000;
// Brokers learn of a new topic one after the other: that is nothing to warn of.
constexpr absl::Duration kWarnAfter = absl::Milliseconds(200);

class SettingsCheck {
 public:
  SettingsCheck(const KafkaTopicSettings& settings) : settings_(settings) {}  // NOLINT

  void Need(bool ok, std::string_view name, std::string_view value, std::string_view needed) {
    if (ok) return;
    faults_.push_back(absl::StrFormat("%s is %s, needed is %s", name, value, needed));
  }
  std::string Text(const std::string& name) const {
    const auto it = settings_.configs.find(name);
    return it == settings_.configs.end() ? "unknown" : it->second;
  }
  int64_t Number(const std::string& name, int64_t otherwise) const {
    int64_t value = 0;
    return absl::SimpleAtoi(Text(name), &value) ? value : otherwise;
  }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  const KafkaTopicSettings& settings_;
  std::vector<std::string> faults_;
};

KafkaPtr<rd_kafka_NewTopic_t> NewTopic(const std::string& topic, bool single_broker) {
  std::array<char, 256> error{};
  KafkaPtr<rd_kafka_NewTopic_t> made(rd_kafka_NewTopic_new(
      topic.c_str(), 1, single_broker ? 1 : kReplicationFactor, error.data(), error.size()));
  const auto set = [&](const char* name, const char* value) {
    rd_kafka_NewTopic_set_config(made.get(), name, value);
  };
  set("cleanup.policy", "delete");
  set("retention.ms", "-1");
  set("retention.bytes", "-1");
  set("max.message.bytes", "1048588");
  set("unclean.leader.election.enable", "false");
  set("min.insync.replicas", single_broker ? "1" : "2");
  return made;
}

}  // namespace

absl::Status CheckKafkaTopic(const std::string& topic, const KafkaTopicSettings& settings,
                             bool single_broker) {
  SettingsCheck check(settings);
  check.Need(settings.partitions == 1, "the number of partitions",
             absl::StrCat(settings.partitions), "1");
  check.Need(check.Text("cleanup.policy") == "delete", "cleanup.policy",
             check.Text("cleanup.policy"), "delete");
  const int64_t retention_ms = check.Number("retention.ms", 0);
  check.Need(retention_ms == -1 || retention_ms >= kRetentionMsMin, "retention.ms",
             check.Text("retention.ms"), absl::StrFormat("-1, or at least %d", kRetentionMsMin));
  check.Need(check.Number("retention.bytes", 0) == -1, "retention.bytes",
             check.Text("retention.bytes"), "-1");
  check.Need(check.Number("max.message.bytes", 0) >= kMessageBytesNeeded, "max.message.bytes",
             check.Text("max.message.bytes"), absl::StrFormat("at least %d", kMessageBytesNeeded));
  if (!single_broker) {
    check.Need(settings.replication_factor >= 2, "the replication factor",
               absl::StrCat(settings.replication_factor), "at least 2 (or single_broker: true)");
    check.Need(check.Number("min.insync.replicas", 0) >= 2, "min.insync.replicas",
               check.Text("min.insync.replicas"), "at least 2 (or single_broker: true)");
    check.Need(check.Text("unclean.leader.election.enable") == "false",
               "unclean.leader.election.enable", check.Text("unclean.leader.election.enable"),
               "false");
  }
  if (check.faults().empty()) return absl::OkStatus();
  return Refuse(absl::StrFormat("Kafka topic %s cannot hold the log: %s", topic,
                                absl::StrJoin(check.faults(), "; ")),
                "set them so (kafka-configs.sh --alter), or delete the topic while it is empty: it "
                "is made again as it must be");
}

absl::StatusOr<std::unique_ptr<KafkaAdmin>> KafkaAdmin::Open(const KafkaProperties& properties,
                                                             bool single_broker,
                                                             absl::Duration gone_after,
                                                             const Cancel& cancel) {
  // A consumer, because a producer's question for a topic may make that topic.
  ASSIGN_OR_RETURN(auto client, NewKafkaClient(RD_KAFKA_CONSUMER, properties, {},
                                               {{"allow.auto.create.topics", "false"}}));
  return std::unique_ptr<KafkaAdmin>(
      new KafkaAdmin(std::move(client), single_broker, gone_after, cancel));
}

KafkaAdmin::KafkaAdmin(KafkaPtr<rd_kafka_t> client, bool single_broker, absl::Duration gone_after,
                       const Cancel& cancel)
    : client_(std::move(client)),
      main_queue_(rd_kafka_queue_get_main(client_.get())),
      single_broker_(single_broker),
      gone_after_(gone_after),
      cancel_(cancel) {}

absl::Status KafkaAdmin::Explain(const absl::Status& status) {
  MutexLock lock(&mu_);
  trouble_.Drain(main_queue_.get());
  if (status.ok()) {
    trouble_.Clear();
    return status;
  }
  if (!absl::IsUnavailable(status)) return status;
  RETURN_IF_ERROR(trouble_.authentication());
  return absl::UnavailableError(absl::StrCat(status.message(), "; last heard: ", trouble_.text()));
}

absl::StatusOr<KafkaTopicSettings> KafkaAdmin::Metadata(const std::string& topic) {
  const std::string doing = "Kafka topic " + topic;
  const KafkaPtr<rd_kafka_topic_t> handle(
      rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  if (handle == nullptr) return KafkaError(rd_kafka_last_error(), doing);
  const rd_kafka_metadata_t* raw = nullptr;
  absl::Status status;
  for (int waited_ms = 0; waited_ms < kRequestMs; waited_ms += kSliceMs) {
    RETURN_IF_ERROR(cancel_.status());
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client_.get(), 0, handle.get(), &raw, kSliceMs);
    status = code == RD_KAFKA_RESP_ERR_NO_ERROR ? Explain(absl::OkStatus())
                                                : Explain(KafkaError(code, doing));
    if (!absl::IsUnavailable(status)) break;
  }
  RETURN_IF_ERROR(status);
  const KafkaPtr<const rd_kafka_metadata_t> metadata(raw);
  if (metadata->topic_cnt != 1) return absl::UnavailableError(doing + ": no metadata");
  const rd_kafka_metadata_topic& found = metadata->topics[0];
  if (IsUnknownTopic(found.err)) return absl::NotFoundError("no Kafka topic " + topic);
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaError(found.err, doing);
  KafkaTopicSettings settings{.partitions = found.partition_cnt};
  if (found.partition_cnt > 0) settings.replication_factor = found.partitions[0].replica_cnt;
  return settings;
}

absl::StatusOr<KafkaTopicSettings> KafkaAdmin::SettledMetadata(const std::string& topic) {
  const absl::Time begun = absl::Now();
  Backoff backoff({.initial = absl::Milliseconds(10), .max = absl::Milliseconds(500), .seed = 1});
  bool warned = false;
  while (true) {
    auto metadata = Metadata(topic);
    const absl::Duration unknown = absl::Now() - begun;
    if (!absl::IsNotFound(metadata.status()) || unknown >= gone_after_) return metadata;
    if (unknown >= kWarnAfter && !std::exchange(warned, true)) {
      LogWarn("eventlog", "the Kafka broker does not know the topic, asking again",
              {{"topic", topic}, {"next", "wait; it counts as deleted if this lasts"}});
    }
    if (!cancel_.WaitFor(backoff.Next())) return cancel_.status();
  }
}

absl::StatusOr<KafkaPtr<rd_kafka_event_t>> KafkaAdmin::Await(
    rd_kafka_admin_op_t operation, std::string_view doing,
    absl::FunctionRef<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)> start) {
  const KafkaPtr<rd_kafka_AdminOptions_t> options(
      rd_kafka_AdminOptions_new(client_.get(), operation));
  std::array<char, 256> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kRequestMs, error.data(), error.size());
  const KafkaPtr<rd_kafka_queue_t> answers(rd_kafka_queue_new(client_.get()));
  start(options.get(), answers.get());
  KafkaPtr<rd_kafka_event_t> event;
  while (event == nullptr) {
    RETURN_IF_ERROR(cancel_.status());
    event.reset(rd_kafka_queue_poll(answers.get(), 100));
  }
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
  return Explain(KafkaError(code, doing, rd_kafka_event_error_string(event.get())));
}

absl::Status KafkaAdmin::CreateTopic(const std::string& topic) {
  absl::Status known = Metadata(topic).status();
  if (known.ok()) return CheckSettings(topic);
  if (!absl::IsNotFound(known)) return known;
  RETURN_IF_ERROR(Make(topic, /*only_ask=*/false));
  const absl::Status checked = CheckSettings(topic);
  if (!absl::IsNotFound(checked)) return checked;
  return absl::UnavailableError("Kafka topic " + topic + " was made but is not visible yet");
}

absl::Status KafkaAdmin::CheckTopic(const std::string& topic) {
  const absl::Status known = Metadata(topic).status();
  if (known.ok()) return CheckSettings(topic);
  return absl::IsNotFound(known) ? Make(topic, /*only_ask=*/true) : known;
}

absl::Status KafkaAdmin::Make(const std::string& topic, bool only_ask) {
  const std::string doing = "making Kafka topic " + topic;
  const KafkaPtr<rd_kafka_NewTopic_t> wanted = NewTopic(topic, single_broker_);
  if (wanted == nullptr) return absl::InvalidArgumentError(doing + ": not a topic name");
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  ASSIGN_OR_RETURN(const auto event,
                   Await(RD_KAFKA_ADMIN_OP_CREATETOPICS, doing, [&](auto* options, auto* answers) {
                     std::array<char, 256> error{};
                     rd_kafka_AdminOptions_set_validate_only(options, only_ask ? 1 : 0,
                                                             error.data(), error.size());
                     rd_kafka_CreateTopics(client_.get(), topics, 1, options, answers);
                   }));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return absl::UnavailableError(doing + ": no result");
  const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
  if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR && !single_broker_) {
    return Refuse(absl::StrFormat("%s: the log needs %d brokers for %d replicas, or single_broker: "
                                  "true",
                                  doing, kReplicationFactor, kReplicationFactor),
                  "start them, or write single_broker: true under log.kafka");
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    const char* detail = rd_kafka_topic_result_error_string(results[0]);
    return KafkaError(code, doing, detail == nullptr ? "" : detail);
  }
  return absl::OkStatus();
}

absl::Status KafkaAdmin::CheckSettings(const std::string& topic) {
  ASSIGN_OR_RETURN(KafkaTopicSettings settings, SettledMetadata(topic));
  const std::string doing = "reading the settings of Kafka topic " + topic;
  const KafkaPtr<rd_kafka_ConfigResource_t> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  ASSIGN_OR_RETURN(
      const auto event,
      Await(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, doing, [&](const auto* options, auto* answers) {
        rd_kafka_DescribeConfigs(client_.get(), resources, 1, options, answers);
      }));
  size_t count = 0;
  const rd_kafka_ConfigResource_t** described = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1) return absl::UnavailableError(doing + ": no result");
  const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(described[0]);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaError(code, doing);
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(described[0], &count);
  for (size_t i = 0; i < count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    settings.configs[rd_kafka_ConfigEntry_name(entries[i])] = value == nullptr ? "" : value;
  }
  return CheckKafkaTopic(topic, settings, single_broker_);
}

absl::Status KafkaAdmin::CheckExists(const std::string& topic) {
  return SettledMetadata(topic).status();
}

absl::StatusOr<TopicInfo> KafkaAdmin::Describe(const std::string& topic) {
  RETURN_IF_ERROR(CheckExists(topic));
  TopicInfo info;
  const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
      client_.get(), topic.c_str(), kKafkaPartition, &info.first, &info.next, kRequestMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Explain(KafkaError(code, "offsets of Kafka topic " + topic));
  }
  return info;
}

absl::Status KafkaAdmin::Trim(const std::string& topic, Offset before) {
  const std::string doing =
      absl::StrFormat("trimming Kafka topic %s below offset %d", topic, before);
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), kKafkaPartition)->offset = before;
  const KafkaPtr<rd_kafka_DeleteRecords_t> records(rd_kafka_DeleteRecords_new(list.get()));
  rd_kafka_DeleteRecords_t* requests[] = {records.get()};
  ASSIGN_OR_RETURN(
      const auto event,
      Await(RD_KAFKA_ADMIN_OP_DELETERECORDS, doing, [&](const auto* options, auto* answers) {
        rd_kafka_DeleteRecords(client_.get(), requests, 1, options, answers);
      }));
  const rd_kafka_topic_partition_list_t* results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (int i = 0; i < results->cnt; ++i) {
    const rd_kafka_resp_err_t code = results->elems[i].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaError(code, doing);
  }
  return absl::OkStatus();
}

absl::Status KafkaAdmin::DeleteTopic(const std::string& topic) {
  const std::string doing = "deleting Kafka topic " + topic;
  const KafkaPtr<rd_kafka_DeleteTopic_t> unwanted(rd_kafka_DeleteTopic_new(topic.c_str()));
  rd_kafka_DeleteTopic_t* topics[] = {unwanted.get()};
  ASSIGN_OR_RETURN(
      const auto event,
      Await(RD_KAFKA_ADMIN_OP_DELETETOPICS, doing, [&](const auto* options, auto* answers) {
        rd_kafka_DeleteTopics(client_.get(), topics, 1, options, answers);
      }));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  if (count != 1) return absl::UnavailableError(doing + ": no result");
  const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || IsUnknownTopic(code)) return absl::OkStatus();
  return KafkaError(code, doing);
}

}  // namespace switchyard::eventlog
