// A Kafka cluster inside the test's process: librdkafka's own mock. Fast, and its brokers fail on
// command. It knows neither topic settings nor DeleteRecords, and keeps 5 MB a topic.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace switchyard::testing {

class MiniKafka {
 public:
  explicit MiniKafka(int brokers = 1);
  ~MiniKafka();
  MiniKafka(const MiniKafka&) = delete;
  MiniKafka& operator=(const MiniKafka&) = delete;

  const std::string& bootstrap_servers() const { return bootstrap_servers_; }

  void CreateTopic(const std::string& topic);
  // The mock makes any topic it is asked for, except these.
  void ForbidTopic(const std::string& topic);
  // Brokers are numbered 1, 2 ... Down: connections are cut and refused.
  void SetDown(int broker);
  void SetUp(int broker);
  // How long each answer takes.
  void SetDelay(int broker, absl::Duration delay);
  void SetLeader(const std::string& topic, int broker);
  // Errors as of rd_kafka_resp_err_t that the next requests of the kind are answered with.
  enum class Request { kProduce = 0, kFetch = 1, kListOffsets = 2, kMetadata = 3 };
  void FailNext(Request request, const std::vector<int>& errors);
  // What every request for the topic is answered with from now on; 0: nothing is wrong.
  void SetTopicError(const std::string& topic, int error);

 private:
  rd_kafka_s* client_;
  rd_kafka_mock_cluster_s* cluster_;
  std::string bootstrap_servers_;
};

}  // namespace switchyard::testing
