// Appends to one Kafka topic with an idempotent producer of its own.
//
// librdkafka retries for ever; only its delivery reports say what happened. They are taken by one
// thread, which advances the durable sequence over an unbroken run of delivered messages.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/kafka_client.h"
#include "common/eventlog/wake.h"

namespace switchyard::eventlog {

class KafkaAdmin;

class KafkaWriter : public LogWriter {
 public:
  // Does not wait for the broker. `admin` must outlive the writer.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const KafkaProperties& properties,
                                                         const std::string& topic,
                                                         KafkaAdmin& admin, const Cancel& cancel);
  ~KafkaWriter() override;

  absl::StatusOr<uint64_t> Append(std::string_view key, std::string_view payload) override;
  void Nudge() override;
  absl::Status Flush(absl::Duration timeout) override;
  uint64_t durable_sequence() const override {
    return durable_sequence_.load(std::memory_order_acquire);
  }
  absl::Status status() const override;
  bool keeps_keys() const override { return true; }

 private:
  // A message that waits in gathered_bytes_, its key first.
  struct Gathered {
    size_t key_size = 0;
    size_t payload_size = 0;
    uint64_t ends = 0;
  };
  // A message handed to librdkafka, in the order of handing over.
  struct Sent {
    uint64_t ends = 0;  // sequence number of the record that ends with it, 0 if none does
    size_t bytes = 0;
    bool delivered = false;
  };

  KafkaWriter(KafkaPtr<rd_kafka_t> client, KafkaPtr<rd_kafka_topic_t> handle, std::string topic,
              KafkaAdmin& admin, const Cancel& cancel);

  absl::Status Produce(std::string_view key, std::string_view payload, uint64_t ends);
  absl::Status HandOver();
  absl::Status HandOver(std::string_view key, std::string_view payload, uint64_t number);
  absl::Status WaitForRoom();
  void TakeDeliveries();
  void Delivered(rd_kafka_event_t* event);
  void CountDelivery(const rd_kafka_message_t& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status DeliveryError(const rd_kafka_message_t& message) const;
  absl::Status FatalError() const;
  absl::Status UnknownTopicError() const;
  absl::Status DeletedError() const;
  absl::Status MadeAgainError(Offset offset) const;
  void NoteTrouble(rd_kafka_event_t* event);
  void WarnIfStuck();
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string topic_;
  KafkaAdmin& admin_;
  const Cancel& cancel_;
  // Destroyed in this order from below: the topic before its client.
  const KafkaPtr<rd_kafka_t> client_;
  const KafkaPtr<rd_kafka_topic_t> handle_;
  const KafkaPtr<rd_kafka_queue_t> main_queue_;

  // Of the appending thread.
  uint64_t sequence_ = 0;
  std::string piece_;
  std::vector<Gathered> gathered_;
  std::string gathered_bytes_;

  std::atomic<uint64_t> durable_sequence_ = 0;
  std::atomic<bool> ended_ = false;  // status_ is not OK
  std::atomic<size_t> bytes_in_flight_ = 0;
  Wake progress_;  // notified when something was delivered or the writer ended

  mutable Mutex mu_;
  std::deque<Sent> sent_ ABSL_GUARDED_BY(mu_);
  uint64_t first_sent_ ABSL_GUARDED_BY(mu_) = 0;  // number of the first message in sent_
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  // Of the delivery thread only.
  Offset last_offset_ = -1;
  KafkaTrouble trouble_;
  absl::Time last_progress_;
  bool warned_ = false;

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace switchyard::eventlog
