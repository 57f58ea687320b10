#include "common/eventlog/memory_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/eventlog/wake.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kReadBytesMax = 4 << 20;
constexpr size_t kDefaultInFlightMax = 64 << 20;

}  // namespace

// One topic. Guarded by State::mu.
class MemoryLog::Topic {
 public:
  struct InFlight {
    std::string payload;
    Writer* writer;
    uint64_t sequence;
  };

  std::string id;
  bool deleted = false;
  Offset first = 0;
  std::deque<std::string> records;
  std::deque<InFlight> in_flight;
  std::vector<Reader*> readers;
  std::vector<Writer*> writers;

  Offset next() const { return first + static_cast<Offset>(records.size()); }
  absl::Status DeletedError(const std::string& name) const {
    return Lost("topic " + name + " was deleted", kCopyAllAnew);
  }
};

struct MemoryLog::State {
  explicit State(const Cancel& c) : cancel(c) {}
  std::shared_ptr<Topic> Find(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const auto it = topics.find(name);
    return it == topics.end() ? nullptr : it->second;
  }
  // Makes what is in flight durable, unless held.
  void Settle(Topic* topic) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  const Cancel& cancel;
  Mutex mu;
  std::map<std::string, std::shared_ptr<Topic>> topics ABSL_GUARDED_BY(mu);
  bool held ABSL_GUARDED_BY(mu) = false;
  size_t in_flight_max ABSL_GUARDED_BY(mu) = kDefaultInFlightMax;
  int made ABSL_GUARDED_BY(mu) = 0;
};

class MemoryLog::Writer : public LogWriter {
 public:
  Writer(std::shared_ptr<State> state, std::shared_ptr<Topic> topic, std::string name)
      : state_(std::move(state)), topic_(std::move(topic)), name_(std::move(name)) {
    MutexLock lock(&state_->mu);
    topic_->writers.push_back(this);
  }
  ~Writer() override {
    MutexLock lock(&state_->mu);
    auto& in_flight = topic_->in_flight;
    in_flight.erase(std::remove_if(in_flight.begin(), in_flight.end(),
                                   [this](const auto& record) { return record.writer == this; }),
                    in_flight.end());
    std::erase(topic_->writers, this);
  }

  absl::StatusOr<uint64_t> Append(std::string_view /*key*/, std::string_view payload) override {
    if (payload.size() > kPayloadBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrFormat("record of %d bytes; the limit is %d", payload.size(), kPayloadBytesMax));
    }
    RETURN_IF_ERROR(progress_.Await(
        [this] {
          MutexLock lock(&state_->mu);
          return !status_.ok() || bytes_in_flight_ == 0 || bytes_in_flight_ < state_->in_flight_max;
        },
        absl::InfiniteFuture(), state_->cancel));
    MutexLock lock(&state_->mu);
    RETURN_IF_ERROR(status_);
    bytes_in_flight_ += payload.size();
    topic_->in_flight.push_back({std::string(payload), this, ++appended_});
    state_->Settle(topic_.get());
    return appended_;
  }

  void Nudge() override {}

  absl::Status Flush(absl::Duration timeout) override {
    RETURN_IF_ERROR(progress_.Await(
        [this] {
          MutexLock lock(&state_->mu);
          return !status_.ok() || durable_ == appended_;
        },
        absl::Now() + timeout, state_->cancel));
    return status();
  }

  uint64_t durable_sequence() const override {
    MutexLock lock(&state_->mu);
    return durable_;
  }
  absl::Status status() const override {
    MutexLock lock(&state_->mu);
    return status_;
  }
  bool keeps_keys() const override { return false; }

  // Called with State::mu held.
  void Delivered(uint64_t sequence, size_t bytes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    durable_ = sequence;
    bytes_in_flight_ -= bytes;
    progress_.Notify();
  }
  void End(const absl::Status& status) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (status_.ok()) status_ = status;
    progress_.Notify();
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Topic> topic_;
  const std::string name_;
  Wake progress_;
  uint64_t appended_ ABSL_GUARDED_BY(state_->mu) = 0;
  uint64_t durable_ ABSL_GUARDED_BY(state_->mu) = 0;
  size_t bytes_in_flight_ ABSL_GUARDED_BY(state_->mu) = 0;
  absl::Status status_ ABSL_GUARDED_BY(state_->mu);
};

class MemoryLog::Reader : public LogReader {
 public:
  Reader(std::shared_ptr<State> state, std::shared_ptr<Topic> topic, std::string name, Offset from)
      : state_(std::move(state)), topic_(std::move(topic)), name_(std::move(name)), next_(from) {
    MutexLock lock(&state_->mu);
    topic_->readers.push_back(this);
  }
  ~Reader() override {
    MutexLock lock(&state_->mu);
    std::erase(topic_->readers, this);
  }

  absl::Status Read(absl::Duration timeout, std::vector<LogRecord>* records) override {
    records->clear();
    buffers_.clear();
    const absl::Status waited = news_.Await(
        [this] {
          MutexLock lock(&state_->mu);
          return topic_->deleted || next_ != topic_->next();
        },
        absl::Now() + timeout, state_->cancel);
    if (absl::IsDeadlineExceeded(waited)) return absl::OkStatus();
    RETURN_IF_ERROR(waited);
    MutexLock lock(&state_->mu);
    if (topic_->deleted) return topic_->DeletedError(name_);
    if (next_ < topic_->first || next_ > topic_->next()) {
      return Lost(absl::StrFormat("topic %s: offset %d is wanted, but the log holds %d to %d",
                                  name_, next_, topic_->first, topic_->next()),
                  kCopyAllAnew);
    }
    Take(records);
    return absl::OkStatus();
  }

  absl::Status Seek(Offset offset) override {
    next_ = offset;
    return absl::OkStatus();
  }

  void Notify() { news_.Notify(); }

 private:
  void Take(std::vector<LogRecord>* records) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mu) {
    size_t bytes = 0;
    while (next_ < topic_->next() && bytes < kReadBytesMax) {
      buffers_.push_back(topic_->records[static_cast<size_t>(next_ - topic_->first)]);
      records->push_back({.offset = next_, .payload = buffers_.back()});
      bytes += buffers_.back().size();
      ++next_;
    }
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<Topic> topic_;
  const std::string name_;
  Wake news_;
  Offset next_;
  std::deque<std::string> buffers_;  // what the views of the last Read point into
};

void MemoryLog::State::Settle(Topic* topic) {
  if (held || topic->in_flight.empty()) return;
  for (Topic::InFlight& record : topic->in_flight) {
    const size_t bytes = record.payload.size();
    topic->records.push_back(std::move(record.payload));
    record.writer->Delivered(record.sequence, bytes);
  }
  topic->in_flight.clear();
  for (Reader* reader : topic->readers) reader->Notify();
}

MemoryLog::MemoryLog(const Cancel& cancel) : state_(std::make_shared<State>(cancel)) {}
MemoryLog::~MemoryLog() = default;

absl::Status MemoryLog::CreateTopic(const std::string& topic) {
  MutexLock lock(&state_->mu);
  if (state_->Find(topic) != nullptr) return absl::OkStatus();
  auto made = std::make_shared<Topic>();
  made->id = absl::StrFormat("memory-%d", ++state_->made);
  state_->topics[topic] = std::move(made);
  return absl::OkStatus();
}

absl::StatusOr<TopicInfo> MemoryLog::Describe(const std::string& topic) {
  MutexLock lock(&state_->mu);
  const auto found = state_->Find(topic);
  if (found == nullptr) return absl::NotFoundError("no topic " + topic);
  return TopicInfo{.id = found->id, .first = found->first, .next = found->next()};
}

absl::StatusOr<std::unique_ptr<LogWriter>> MemoryLog::OpenWriter(const std::string& topic) {
  std::shared_ptr<Topic> found;
  {
    MutexLock lock(&state_->mu);
    found = state_->Find(topic);
  }
  if (found == nullptr) return absl::NotFoundError("no topic " + topic);
  return std::make_unique<Writer>(state_, std::move(found), topic);
}

absl::StatusOr<std::unique_ptr<LogReader>> MemoryLog::OpenReader(const std::string& topic,
                                                                 Offset from) {
  std::shared_ptr<Topic> found;
  {
    MutexLock lock(&state_->mu);
    found = state_->Find(topic);
  }
  if (found == nullptr) return absl::NotFoundError("no topic " + topic);
  return std::make_unique<Reader>(state_, std::move(found), topic, from);
}

absl::Status MemoryLog::Trim(const std::string& topic, Offset before) {
  MutexLock lock(&state_->mu);
  const auto found = state_->Find(topic);
  if (found == nullptr) return absl::NotFoundError("no topic " + topic);
  while (found->first < before && !found->records.empty()) {
    found->records.pop_front();
    ++found->first;
  }
  return absl::OkStatus();
}

void MemoryLog::HoldDurability() {
  MutexLock lock(&state_->mu);
  state_->held = true;
}

void MemoryLog::ReleaseDurability() {
  MutexLock lock(&state_->mu);
  state_->held = false;
  for (const auto& [name, topic] : state_->topics) state_->Settle(topic.get());
}

void MemoryLog::Crash(const absl::Status& status) {
  MutexLock lock(&state_->mu);
  for (const auto& [name, topic] : state_->topics) {
    topic->in_flight.clear();
    for (Writer* writer : topic->writers) writer->End(status);
  }
}

void MemoryLog::DeleteTopic(const std::string& topic) {
  MutexLock lock(&state_->mu);
  const auto found = state_->Find(topic);
  if (found == nullptr) return;
  found->deleted = true;
  for (Writer* writer : found->writers) writer->End(found->DeletedError(topic));
  for (Reader* reader : found->readers) reader->Notify();
  state_->topics.erase(topic);
}

void MemoryLog::LoseEnd(const std::string& topic, int records) {
  MutexLock lock(&state_->mu);
  const auto found = state_->Find(topic);
  if (found == nullptr) return;
  for (int i = 0; i < records && !found->records.empty(); ++i) found->records.pop_back();
  for (Reader* reader : found->readers) reader->Notify();
}

void MemoryLog::SetInFlightMax(size_t bytes) {
  MutexLock lock(&state_->mu);
  state_->in_flight_max = bytes;
}

}  // namespace switchyard::eventlog
