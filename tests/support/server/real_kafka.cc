#include "tests/support/server/real_kafka.h"

#include <librdkafka/rdkafka.h>
#include <sys/wait.h>

#include <array>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/base/wait/cancel.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {
namespace {

constexpr int kLaunches = 3;
constexpr absl::Duration kReadyWithin = absl::Seconds(90);
constexpr int kRequestMs = 10'000;

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

Client MakeClient(const std::string& servers) {
  std::array<char, 256> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), nullptr, 0);
  rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", nullptr, 0);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  SY_CHECK(client != nullptr);
  return {client, &rd_kafka_destroy};
}

// The error of the one topic an operation was about.
absl::Status ResultOf(rd_kafka_queue_t* queue, std::string_view doing) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kRequestMs);
  absl::Status status = absl::UnavailableError(absl::StrCat(Sv(doing), ": no answer"));
  if (event != nullptr) {
    size_t count = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT
            ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            : rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
                                                  &count);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1) {
      code = rd_kafka_topic_result_error(results[0]);
    }
    status = code == RD_KAFKA_RESP_ERR_NO_ERROR
                 ? absl::OkStatus()
                 : absl::InternalError(absl::StrCat(Sv(doing), ": ", rd_kafka_err2str(code)));
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RealKafka>> RealKafka::Start(Options options) {
  absl::Status status;
  for (int i = 0; i < kLaunches; ++i) {
    std::unique_ptr<RealKafka> kafka(new RealKafka);
    // Somebody may take a port before the broker does: then it ends, and others are tried.
    ASSIGN_OR_RETURN(kafka->port_, FreePort());
    ASSIGN_OR_RETURN(kafka->controller_port_, FreePort());
    ASSIGN_OR_RETURN(kafka->sasl_port_, FreePort());
    if (options.tls) {
      ASSIGN_OR_RETURN(kafka->tls_port_, FreePort());
    }
    status = kafka->Restart();
    if (status.ok()) return kafka;
  }
  return status;
}

RealKafka::~RealKafka() { Kill(); }

absl::Status RealKafka::Restart() {
  RETURN_IF_ERROR(Launch());
  return AwaitReady();
}

absl::Status RealKafka::Launch() {
  Command command;
  command.argv = {"/usr/bin/setpriv",
                  "--pdeathsig",
                  "KILL",
                  std::string(SY_SOURCE_DIR) + "/scripts/kafka",
                  "run",
                  folder_.path() + "/broker",
                  absl::StrCat(port_),
                  absl::StrCat(controller_port_),
                  absl::StrCat(sasl_port_)};
  if (tls_port_ > 0) command.argv.push_back(absl::StrCat(tls_port_));
  // Tests are short: what the second compiler gains is less than what it costs.
  command.environment = {{"SWITCHYARD_KAFKA_JAVA_OPTIONS",
                          "-Xms96m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}};
  command.output_path = log_path();
  ASSIGN_OR_RETURN(pid_, Spawn(command));
  return absl::OkStatus();
}

absl::Status RealKafka::AwaitReady() {
  const absl::Time deadline = absl::Now() + kReadyWithin;
  const Client client = MakeClient(bootstrap_servers());
  while (absl::Now() < deadline) {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 200) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const bool ready = metadata->broker_cnt == 1;
      rd_kafka_metadata_destroy(metadata);
      if (ready) return absl::OkStatus();
    }
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      break;
    }
  }
  const std::string log = ReadFileOrEmpty(log_path());
  return absl::UnavailableError("the Kafka broker did not start: " +
                                log.substr(log.size() - std::min<size_t>(log.size(), 3000)));
}

void RealKafka::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

absl::Status RealKafka::CreateTopic(const std::string& topic, int partitions,
                                    const std::map<std::string, std::string>& configs) {
  const Client client = MakeClient(bootstrap_servers());
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, nullptr, 0);
  for (const auto& [name, value] : configs) {
    rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str());
  }
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client.get());
  rd_kafka_CreateTopics(client.get(), &wanted, 1, nullptr, queue);
  rd_kafka_NewTopic_destroy(wanted);
  return ResultOf(queue, "create topic " + topic);
}

absl::Status RealKafka::DeleteTopic(const std::string& topic) {
  const Client client = MakeClient(bootstrap_servers());
  rd_kafka_DeleteTopic_t* unwanted = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client.get());
  rd_kafka_DeleteTopics(client.get(), &unwanted, 1, nullptr, queue);
  rd_kafka_DeleteTopic_destroy(unwanted);
  return ResultOf(queue, "delete topic " + topic);
}

}  // namespace switchyard::testing
