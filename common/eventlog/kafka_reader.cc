#include "common/eventlog/kafka_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/eventlog/kafka_admin.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kReadBytesMax = 4 << 20;
constexpr size_t kBatch = 1024;
constexpr int kRequestMs = 1000;
constexpr int kWakeMs = 100;
constexpr absl::Duration kLookAgain = absl::Seconds(1);
// Silence after which the reader asks whether the topic is still there.
constexpr absl::Duration kSilence = absl::Seconds(3);
constexpr absl::Duration kWarnEvery = absl::Seconds(10);

KafkaProperties Defaults() {
  return {
      {"fetch.wait.max.ms", "100"},           {"fetch.error.backoff.ms", "50"},
      {"fetch.message.max.bytes", "4194304"}, {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", "8192"},  // in memory three times as much, and a fetch
      {"reconnect.backoff.ms", "50"},         {"reconnect.backoff.max.ms", "2000"},
  };
}

KafkaProperties Fixed() {
  return {
      {"allow.auto.create.topics", "false"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"check.crcs", "true"},
      // Our records are never part of a Kafka transaction, and one that a stranger left open must
      // not hold them up.
      {"isolation.level", "read_uncommitted"},
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogReader>> KafkaReader::Open(const KafkaProperties& properties,
                                                             const std::string& topic, Offset from,
                                                             KafkaAdmin& admin,
                                                             const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto client, NewKafkaClient(RD_KAFKA_CONSUMER, properties, Defaults(), Fixed()));
  KafkaPtr<rd_kafka_topic_t> handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  if (handle == nullptr) return KafkaError(rd_kafka_last_error(), "Kafka topic " + topic);
  std::unique_ptr<KafkaReader> reader(
      new KafkaReader(std::move(client), std::move(handle), topic, admin, cancel));
  RETURN_IF_ERROR(reader->Start(from));
  return reader;
}

KafkaReader::KafkaReader(KafkaPtr<rd_kafka_t> client, KafkaPtr<rd_kafka_topic_t> handle,
                         std::string topic, KafkaAdmin& admin, const Cancel& cancel)
    : topic_(std::move(topic)),
      admin_(admin),
      cancel_(cancel),
      client_(std::move(client)),
      handle_(std::move(handle)),
      main_queue_(rd_kafka_queue_get_main(client_.get())),
      queue_(rd_kafka_queue_new(client_.get())),
      quiet_since_(absl::Now()),
      batch_(kBatch),
      next_warning_(absl::InfinitePast()) {
  const uint64_t one = 1;  // what an eventfd takes
  rd_kafka_queue_io_event_enable(queue_.get(), news_.fd(), &one, sizeof one);
  rd_kafka_queue_io_event_enable(main_queue_.get(), news_.fd(), &one, sizeof one);
}

KafkaReader::~KafkaReader() {
  held_.clear();
  if (started_) rd_kafka_consume_stop(handle_.get(), kKafkaPartition);
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  rd_kafka_queue_io_event_enable(main_queue_.get(), -1, nullptr, 0);
}

absl::Status KafkaReader::Start(Offset offset) {
  if (offset < 0) {
    return absl::InvalidArgumentError(absl::StrFormat("%d is not an offset", offset));
  }
  if (rd_kafka_consume_start_queue(handle_.get(), kKafkaPartition, offset, queue_.get()) != 0) {
    return KafkaError(rd_kafka_last_error(), "reading Kafka topic " + topic_);
  }
  started_ = true;
  next_ = offset;
  joiner_.Reset();
  return absl::OkStatus();
}

absl::Status KafkaReader::Seek(Offset offset) {
  held_.clear();
  joined_.clear();
  if (started_ && rd_kafka_consume_stop(handle_.get(), kKafkaPartition) != 0) {
    return KafkaError(rd_kafka_last_error(), "reading Kafka topic " + topic_);
  }
  started_ = false;
  // What was fetched from the old place.
  ssize_t count = 0;
  while ((count = rd_kafka_consume_batch_queue(queue_.get(), 0, batch_.data(), kBatch)) > 0) {
    std::for_each_n(batch_.begin(), count, rd_kafka_message_destroy);
  }
  return Start(offset);
}

absl::Status KafkaReader::Read(absl::Duration timeout, std::vector<LogRecord>* records) {
  const absl::Time deadline = absl::Now() + timeout;
  records->clear();
  joined_.clear();
  while (true) {
    RETURN_IF_ERROR(cancel_.status());
    ASSIGN_OR_RETURN(const bool fetched, Fetch(records));
    if (!records->empty()) return absl::OkStatus();
    if (fetched) continue;  // parts only
    RETURN_IF_ERROR(NoteSilence());
    const absl::Time now = absl::Now();
    if (now >= deadline) return absl::OkStatus();
    news_.Sleep(std::min(deadline, now + kLookAgain), cancel_.fd());
  }
}

absl::StatusOr<bool> KafkaReader::Fetch(std::vector<LogRecord>* records) {
  held_.clear();
  size_t bytes = 0;
  bool any = false;
  while (bytes < kReadBytesMax) {
    const ssize_t count =
        rd_kafka_consume_batch_queue(queue_.get(), 0, batch_.data(), batch_.size());
    if (count <= 0) break;
    if (!any) quiet_since_ = absl::Now();
    any = true;
    absl::Status status;
    for (ssize_t i = 0; i < count; ++i) {
      KafkaPtr<rd_kafka_message_t> message(batch_[static_cast<size_t>(i)]);
      if (status.ok()) status = Take(std::move(message), records, &bytes);
    }
    RETURN_IF_ERROR(status);
  }
  if (bytes >= kReadBytesMax) WakeFetcher();
  return any;
}

// librdkafka's thread stops fetching when its queue is full, and looks again only after a second
// or when something else is asked of it: a reader slower than the broker would wait most of the
// time (86,000 records/s instead of 420,000). So ask, once for half a queue taken.
void KafkaReader::WakeFetcher() {
  int64_t first = 0;
  int64_t next = 0;
  rd_kafka_query_watermark_offsets(client_.get(), topic_.c_str(), kKafkaPartition, &first, &next,
                                   kWakeMs);
}

absl::Status KafkaReader::Take(KafkaPtr<rd_kafka_message_t> message,
                               std::vector<LogRecord>* records, size_t* bytes) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return ErrorOf(*message);
  const std::string_view payload(static_cast<const char*>(message->payload), message->len);
  next_ = message->offset + 1;
  *bytes += payload.size();
  ASSIGN_OR_RETURN(const PartJoiner::Outcome outcome, joiner_.Add(message->offset, payload));
  if (outcome == PartJoiner::Outcome::kRecord) {
    records->push_back({.offset = message->offset, .payload = payload});
    held_.push_back(std::move(message));
  } else if (outcome == PartJoiner::Outcome::kJoined) {
    joined_.push_back(joiner_.TakePayload());
    records->push_back({.offset = joiner_.offset(), .payload = joined_.back()});
  }
  return absl::OkStatus();
}

absl::Status KafkaReader::ErrorOf(const rd_kafka_message_t& message) {
  if (IsUnknownTopic(message.err)) return CheckExists();
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: {
      int64_t first = -1;
      int64_t next = -1;
      rd_kafka_query_watermark_offsets(client_.get(), topic_.c_str(), kKafkaPartition, &first,
                                       &next, kRequestMs);
      return OutOfRangeError(first, next);
    }
    case RD_KAFKA_RESP_ERR__BAD_MSG:
      return Lost(absl::StrFormat("Kafka topic %s, after offset %d: %s", topic_, next_,
                                  rd_kafka_message_errstr(&message)),
                  kCopyAllAnew);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return KafkaError(message.err, "reading Kafka topic " + topic_);
    default:
      break;
  }
  LogWarn("eventlog", "reading from Kafka fails, trying again",
          {{"topic", topic_}, {"error", rd_kafka_message_errstr(&message)}});
  return absl::OkStatus();
}

absl::Status KafkaReader::NoteSilence() {
  trouble_.Drain(main_queue_.get());
  if (trouble_.all_brokers_down()) {
    quiet_since_ = absl::Now();
    if (quiet_since_ < next_warning_) return absl::OkStatus();
    LogWarn("eventlog", "no Kafka broker can be reached, waiting",
            {{"topic", topic_}, {"error", trouble_.text()}});
    next_warning_ = absl::Now() + kWarnEvery;
    trouble_.Clear();
  } else if (absl::Now() - quiet_since_ >= kSilence) {
    RETURN_IF_ERROR(CheckStillThere());
    quiet_since_ = absl::Now();
  }
  return absl::OkStatus();
}

// librdkafka waits for a topic that is gone without a word.
absl::Status KafkaReader::CheckStillThere() {
  int64_t first = 0;
  int64_t next = 0;
  const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
      client_.get(), topic_.c_str(), kKafkaPartition, &first, &next, kRequestMs);
  if (IsUnknownTopic(code)) return CheckExists();
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && (next_ < first || next_ > next)) {
    return OutOfRangeError(first, next);
  }
  return absl::OkStatus();
}

// For when a broker says that it does not know the topic.
absl::Status KafkaReader::CheckExists() {
  absl::Status found = admin_.CheckExists(topic_);
  if (absl::IsNotFound(found)) {
    return Lost("Kafka topic " + topic_ + " was deleted while it was read", kCopyAllAnew);
  }
  return absl::IsUnavailable(found) ? absl::OkStatus() : found;  // waited for
}

absl::Status KafkaReader::OutOfRangeError(Offset first, Offset next) const {
  return Lost(absl::StrFormat("Kafka topic %s: offset %d is wanted, but the topic holds %d to %d: "
                              "records were trimmed away, or the topic was made again",
                              topic_, next_, first, next),
              kCopyAllAnew);
}

}  // namespace switchyard::eventlog
