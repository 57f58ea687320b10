// Reads one Kafka topic from an offset, without a consumer group: the position lives in the
// target database, not in the broker.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/kafka_client.h"
#include "common/eventlog/part.h"
#include "common/eventlog/wake.h"

namespace switchyard::eventlog {

class KafkaAdmin;

class KafkaReader : public LogReader {
 public:
  // Does not wait for the broker. `admin` must outlive the reader.
  static absl::StatusOr<std::unique_ptr<LogReader>> Open(const KafkaProperties& properties,
                                                         const std::string& topic, Offset from,
                                                         KafkaAdmin& admin, const Cancel& cancel);
  ~KafkaReader() override;

  absl::Status Read(absl::Duration timeout, std::vector<LogRecord>* records) override;
  absl::Status Seek(Offset offset) override;

 private:
  KafkaReader(KafkaPtr<rd_kafka_t> client, KafkaPtr<rd_kafka_topic_t> handle, std::string topic,
              KafkaAdmin& admin, const Cancel& cancel);

  absl::Status Start(Offset offset);
  // True when there was something, be it only parts of a record.
  absl::StatusOr<bool> Fetch(std::vector<LogRecord>* records);
  // Takes over one message; its bytes are added to `bytes`.
  absl::Status Take(KafkaPtr<rd_kafka_message_t> message, std::vector<LogRecord>* records,
                    size_t* bytes);
  // OK when the error may pass.
  absl::Status ErrorOf(const rd_kafka_message_t& message);
  void WakeFetcher();
  absl::Status CheckStillThere();
  absl::Status CheckExists();
  absl::Status OutOfRangeError(Offset first, Offset next) const;
  absl::Status NoteSilence();

  const std::string topic_;
  KafkaAdmin& admin_;
  const Cancel& cancel_;
  Wake news_;  // librdkafka writes to its descriptor
  // Destroyed in this order from below: queue and topic before their client.
  const KafkaPtr<rd_kafka_t> client_;
  const KafkaPtr<rd_kafka_topic_t> handle_;
  const KafkaPtr<rd_kafka_queue_t> main_queue_;
  const KafkaPtr<rd_kafka_queue_t> queue_;

  bool started_ = false;
  Offset next_ = 0;  // one past the last message taken
  absl::Time quiet_since_;
  PartJoiner joiner_;
  std::vector<rd_kafka_message_t*> batch_;
  // What the views of the last Read point into.
  std::vector<KafkaPtr<rd_kafka_message_t>> held_;
  std::deque<std::string> joined_;
  KafkaTrouble trouble_;
  absl::Time next_warning_;
};

}  // namespace switchyard::eventlog
