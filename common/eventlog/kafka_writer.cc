#include "common/eventlog/kafka_writer.h"

#include <pthread.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/eventlog/kafka_admin.h"
#include "common/eventlog/part.h"

namespace switchyard::eventlog {
namespace {

constexpr char kSeeToBroker[] =
    "let the user that log.kafka names write to the topic (kafka-acls.sh), and the broker be of a "
    "version that knows idempotent producers";

// What a broker has refused for good, whatever its code says of another try.
absl::Status AsRefusal(const absl::Status& failed) {
  const Finding finding = FindingOf(failed, kSeeToBroker);
  return Refuse(finding.what, finding.next);
}

// A message with key and headers must fit message.max.bytes, 1,000,000 by default.
constexpr size_t kPartBytes = 900'000;
// What librdkafka keeps beside a message's own bytes while it is under way.
constexpr size_t kMessageOverheadBytes = 256;
constexpr size_t kInFlightMax = 32 << 20;
// What is gathered for one request. A broker spends about as much on a request as on a thousand
// small messages, and librdkafka, left to gather by itself, polls without rest while it does.
constexpr size_t kGatherBytes = 512 << 10;
constexpr size_t kGatherMessages = 5000;
constexpr absl::Duration kStuckAfter = absl::Seconds(5);
constexpr absl::Duration kRoomPause = absl::Milliseconds(1);
constexpr absl::Duration kUnknownTopicPause = absl::Milliseconds(50);
constexpr int kPollMs = 1000;

// Measured on one broker beside the producer. With less than a millisecond of linger librdkafka
// polls without a pause until it is over, or until the broker answers when max.in.flight is
// reached: a third of the producer's CPU, and no faster (a transaction is through in 1.7 ms either
// way). lz4 saves the broker a third of its CPU.
KafkaProperties Defaults() {
  return {
      {"linger.ms", "1"},
      {"max.in.flight", "5"},
      {"compression.type", "lz4"},
      {"batch.size", "1000000"},
      {"batch.num.messages", "10000"},
      {"queue.buffering.max.messages", "1000000"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "2000"},
      {"retry.backoff.ms", "50"},
  };
}

KafkaProperties Fixed() {
  return {
      {"enable.idempotence", "true"}, {"acks", "all"}, {"enable.gapless.guarantee", "true"},
      {"message.timeout.ms", "0"},  // for ever
      {"retries", "2147483647"},
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogWriter>> KafkaWriter::Open(const KafkaProperties& properties,
                                                             const std::string& topic,
                                                             KafkaAdmin& admin,
                                                             const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto client, NewKafkaClient(RD_KAFKA_PRODUCER, properties, Defaults(), Fixed()));
  KafkaPtr<rd_kafka_topic_t> handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  if (handle == nullptr) return KafkaError(rd_kafka_last_error(), "Kafka topic " + topic);
  return std::unique_ptr<LogWriter>(
      new KafkaWriter(std::move(client), std::move(handle), topic, admin, cancel));
}

KafkaWriter::KafkaWriter(KafkaPtr<rd_kafka_t> client, KafkaPtr<rd_kafka_topic_t> handle,
                         std::string topic, KafkaAdmin& admin, const Cancel& cancel)
    : topic_(std::move(topic)),
      admin_(admin),
      cancel_(cancel),
      client_(std::move(client)),
      handle_(std::move(handle)),
      main_queue_(rd_kafka_queue_get_main(client_.get())),
      last_progress_(absl::Now()) {
  thread_ = std::thread([this] { TakeDeliveries(); });
  pthread_setname_np(thread_.native_handle(), "log-deliver");
}

KafkaWriter::~KafkaWriter() {
  stop_ = true;
  rd_kafka_queue_yield(main_queue_.get());
  thread_.join();
  // Without this librdkafka would wait for a broker that may be away.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

absl::StatusOr<uint64_t> KafkaWriter::Append(std::string_view key, std::string_view payload) {
  if (payload.size() <= kPartBytes) {
    RETURN_IF_ERROR(Produce(key, payload, sequence_ + 1));
    return ++sequence_;
  }
  if (payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a record of %d bytes is too large for the log; the limit is %d",
                        payload.size(), kPayloadBytesMax));
  }
  const uint32_t count = PartCount(payload.size(), kPartBytes);
  for (uint32_t i = 0; i < count; ++i) {
    EncodePart(payload, i, kPartBytes, &piece_);
    RETURN_IF_ERROR(Produce(key, piece_, i + 1 == count ? sequence_ + 1 : 0));
  }
  return ++sequence_;
}

absl::Status KafkaWriter::Produce(std::string_view key, std::string_view payload, uint64_t ends) {
  if (ended_.load(std::memory_order_acquire)) return status();
  const size_t bytes = key.size() + payload.size() + kMessageOverheadBytes;
  if (bytes_in_flight_.load(std::memory_order_relaxed) >= kInFlightMax) {
    RETURN_IF_ERROR(WaitForRoom());
  }
  bytes_in_flight_.fetch_add(bytes, std::memory_order_relaxed);
  gathered_bytes_.append(key).append(payload);
  gathered_.push_back({.key_size = key.size(), .payload_size = payload.size(), .ends = ends});
  const bool full = gathered_bytes_.size() >= kGatherBytes || gathered_.size() >= kGatherMessages;
  return full ? HandOver() : absl::OkStatus();
}

// Gives what was gathered to librdkafka.
absl::Status KafkaWriter::HandOver() {
  uint64_t number = 0;
  {
    MutexLock lock(&mu_);
    RETURN_IF_ERROR(status_);
    number = first_sent_ + sent_.size();
    for (const Gathered& one : gathered_) {
      sent_.push_back(
          {.ends = one.ends, .bytes = one.key_size + one.payload_size + kMessageOverheadBytes});
    }
  }
  absl::Status status;
  const char* at = gathered_bytes_.data();
  for (const Gathered& one : gathered_) {
    status = HandOver({at, one.key_size}, {at + one.key_size, one.payload_size}, number++);
    if (!status.ok()) break;
    at += one.key_size + one.payload_size;
  }
  gathered_.clear();
  gathered_bytes_.clear();
  if (status.ok()) return status;
  MutexLock lock(&mu_);
  End(status);  // never a later message without this one
  return status_;
}

absl::Status KafkaWriter::HandOver(std::string_view key, std::string_view payload,
                                   uint64_t number) {
  // An empty payload is not a missing one.
  void* data = const_cast<char*>(payload.empty() ? "" : payload.data());
  // librdkafka hands this back in the delivery report; it is never followed.
  auto* tag = reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr)
  const void* key_data = key.empty() ? nullptr : key.data();
  while (rd_kafka_produce(handle_.get(), kKafkaPartition, RD_KAFKA_MSG_F_COPY, data, payload.size(),
                          key_data, key.size(), tag) != 0) {
    const rd_kafka_resp_err_t code = rd_kafka_last_error();
    absl::Duration pause = kRoomPause;
    if (IsUnknownTopic(code)) {
      const absl::Status found = admin_.CheckExists(topic_);
      if (absl::IsNotFound(found)) return DeletedError();
      if (!found.ok() && !absl::IsUnavailable(found)) return found;
      if (ended_.load(std::memory_order_acquire)) return status();
      pause = kUnknownTopicPause;  // librdkafka learns of it within a second
    } else if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      return AsRefusal(KafkaError(code, "writing to Kafka topic " + topic_));
    }  // a full queue: only when the user made it smaller than our bound
    if (!cancel_.WaitFor(pause)) return cancel_.status();
  }
  return absl::OkStatus();
}

absl::Status KafkaWriter::WaitForRoom() {
  RETURN_IF_ERROR(HandOver());
  RETURN_IF_ERROR(
      progress_.Await([this] { return bytes_in_flight_.load() < kInFlightMax || ended_.load(); },
                      absl::InfiniteFuture(), cancel_));
  return status();
}

void KafkaWriter::Nudge() {
  [[maybe_unused]] const absl::Status handed = HandOver();  // the next call says so, and status()
}

absl::Status KafkaWriter::Flush(absl::Duration timeout) {
  Nudge();
  RETURN_IF_ERROR(
      progress_.Await([this] { return durable_sequence() >= sequence_ || ended_.load(); },
                      absl::Now() + timeout, cancel_));
  return durable_sequence() >= sequence_ ? absl::OkStatus() : status();
}

absl::Status KafkaWriter::status() const {
  MutexLock lock(&mu_);
  return status_;
}

void KafkaWriter::TakeDeliveries() {
  while (!stop_) {
    const KafkaPtr<rd_kafka_event_t> event(rd_kafka_queue_poll(main_queue_.get(), kPollMs));
    switch (event == nullptr ? RD_KAFKA_EVENT_NONE : rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_DR:
        Delivered(event.get());
        break;
      case RD_KAFKA_EVENT_ERROR:
        NoteTrouble(event.get());
        break;
      default:
        break;
    }
    WarnIfStuck();
  }
}

void KafkaWriter::Delivered(rd_kafka_event_t* event) {
  {
    MutexLock lock(&mu_);
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
      CountDelivery(*message);
    }
  }
  progress_.Notify();
  last_progress_ = absl::Now();
  if (std::exchange(warned_, false)) {
    LogInfo("eventlog", "the Kafka broker answers again", {{"topic", topic_}});
  }
}

void KafkaWriter::CountDelivery(const rd_kafka_message_t& message) {
  if (!status_.ok()) return;
  const auto number = reinterpret_cast<uint64_t>(message._private);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return End(DeliveryError(message));
  // Unknown (negative) for a message that an earlier attempt had delivered already.
  if (message.offset >= 0 && message.offset <= last_offset_) {
    return End(MadeAgainError(message.offset));
  }
  if (message.offset >= 0) last_offset_ = message.offset;
  sent_[number - first_sent_].delivered = true;
  while (!sent_.empty() && sent_.front().delivered) {
    bytes_in_flight_.fetch_sub(sent_.front().bytes, std::memory_order_relaxed);
    if (sent_.front().ends > 0) {
      durable_sequence_.store(sent_.front().ends, std::memory_order_release);
    }
    sent_.pop_front();
    ++first_sent_;
  }
}

absl::Status KafkaWriter::DeliveryError(const rd_kafka_message_t& message) const {
  if (IsUnknownTopic(message.err)) return UnknownTopicError();
  if (const absl::Status fatal = FatalError(); !fatal.ok()) return fatal;
  // Not rd_kafka_message_errstr: for what was to be written it gives the record itself.
  const absl::Status failed =
      KafkaError(message.err, "writing to Kafka topic " + topic_, rd_kafka_err2str(message.err));
  // Codes of librdkafka's own: a broker or a connection of it went, which another producer may not
  // meet. Those of a broker are its answer.
  const bool may_pass = message.err < RD_KAFKA_RESP_ERR_UNKNOWN &&
                        message.err != RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE &&
                        message.err != RD_KAFKA_RESP_ERR__INVALID_ARG;
  return may_pass ? WithCode(absl::StatusCode::kUnavailable, failed) : AsRefusal(failed);
}

// Of a producer that may send nothing any more. Where a right is missing a person has to act. All
// else (a broker that lost its end of the topic, or what it knew of the producer) a new producer
// does not share: its epoch begins with a look at what the topic holds.
absl::Status KafkaWriter::FatalError() const {
  std::array<char, 512> reason{};
  const rd_kafka_resp_err_t code =
      rd_kafka_fatal_error(client_.get(), reason.data(), reason.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  // A record that can't be sent any more ends the producer under a code of librdkafka's own; why it
  // could not be sent stands in the text.
  const auto names = [&](rd_kafka_resp_err_t cause) {
    return absl::StrContains(reason.data(), rd_kafka_err2str(cause));
  };
  const bool refused = names(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) ||
                       names(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) ||
                       code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
                       code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                       code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION ||
                       code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
  const std::string text =
      absl::StrFormat("Kafka topic %s: the producer ended: %s", topic_, reason.data());
  return refused ? Refuse(text, kSeeToBroker) : absl::UnavailableError(text);
}

// librdkafka gives up what is under way as soon as one broker does not know the topic. Asked while
// mu_ is held, so that nothing is handed over behind what was given up: an Append then waits for
// the answer, kGoneAfter at most, which is far below what a source waits for its reader.
absl::Status KafkaWriter::UnknownTopicError() const {
  const absl::StatusOr<TopicInfo> found = admin_.Describe(topic_);
  if (absl::IsNotFound(found.status())) return DeletedError();
  RETURN_IF_ERROR(found.status());
  if (found->next <= last_offset_) return MadeAgainError(found->next);
  return absl::UnavailableError(absl::StrFormat(
      "Kafka topic %s was unknown to a broker for a moment: what was under way after offset %d is "
      "not on it",
      topic_, last_offset_));
}

absl::Status KafkaWriter::DeletedError() const {
  return Lost("Kafka topic " + topic_ + " was deleted while it was written to", kCopyAllAnew);
}

absl::Status KafkaWriter::MadeAgainError(Offset offset) const {
  return Lost(absl::StrFormat("Kafka topic %s was deleted and made again: offset %d came after %d",
                              topic_, offset, last_offset_),
              kCopyAllAnew);
}

void KafkaWriter::NoteTrouble(rd_kafka_event_t* event) {
  trouble_.Note(event);
  const absl::Status fatal = FatalError();
  if (fatal.ok()) return;
  MutexLock lock(&mu_);
  End(fatal);
}

void KafkaWriter::WarnIfStuck() {
  if (bytes_in_flight_.load() == 0 || ended_.load()) {
    last_progress_ = absl::Now();
    return;
  }
  if (absl::Now() - last_progress_ < kStuckAfter) return;
  LogWarn("eventlog", "nothing could be written to Kafka for a while, waiting",
          {{"topic", topic_}, {"error", trouble_.text()}});
  last_progress_ = absl::Now();
  warned_ = true;
}

void KafkaWriter::End(const absl::Status& status) {
  if (!status_.ok()) return;
  status_ = status;
  ended_.store(true, std::memory_order_release);
  progress_.Notify();
}

}  // namespace switchyard::eventlog
