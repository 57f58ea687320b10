#include "tests/support/server/mini_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <thread>
#include <vector>

#include "common/base/check.h"

namespace switchyard::testing {

namespace {

// Ending a mock cluster takes a second of waiting, which tests need not wait for one by one.
struct Endings {
  ~Endings() {
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<std::thread> threads;
};

}  // namespace

MiniKafka::MiniKafka(int brokers) {
  std::array<char, 256> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  SY_CHECK(client_ != nullptr);
  cluster_ = rd_kafka_mock_cluster_new(client_, brokers);
  SY_CHECK(cluster_ != nullptr);
  bootstrap_servers_ = rd_kafka_mock_cluster_bootstraps(cluster_);
}

MiniKafka::~MiniKafka() {
  static Endings endings;
  endings.threads.emplace_back([client = client_, cluster = cluster_] {
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(client);
  });
}

void MiniKafka::CreateTopic(const std::string& topic) {
  SY_CHECK(rd_kafka_mock_topic_create(cluster_, topic.c_str(), 1, 1) == 0);
}

void MiniKafka::ForbidTopic(const std::string& topic) {
  SetTopicError(topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

void MiniKafka::SetDown(int broker) { rd_kafka_mock_broker_set_down(cluster_, broker); }

void MiniKafka::SetUp(int broker) { rd_kafka_mock_broker_set_up(cluster_, broker); }

void MiniKafka::SetDelay(int broker, absl::Duration delay) {
  rd_kafka_mock_broker_set_rtt(cluster_, broker,
                               static_cast<int>(absl::ToInt64Milliseconds(delay)));
}

void MiniKafka::SetLeader(const std::string& topic, int broker) {
  rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), 0, broker);
}

void MiniKafka::FailNext(Request request, const std::vector<int>& errors) {
  std::vector<rd_kafka_resp_err_t> codes;
  codes.reserve(errors.size());
  for (const int error : errors) codes.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_, static_cast<int16_t>(request), codes.size(),
                                          codes.data());
}

void MiniKafka::SetTopicError(const std::string& topic, int error) {
  rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), static_cast<rd_kafka_resp_err_t>(error));
}

}  // namespace switchyard::testing
