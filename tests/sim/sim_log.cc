#include "tests/sim/sim_log.h"

#include <algorithm>

#include "common/eventlog/part.h"
#include "proto/event.pb.h"

namespace switchyard::sim {

using event::v1::Event;
using eventlog::LogRecord;

class SimWriter : public eventlog::LogWriter {
 public:
  SimWriter(World& world, SimLog& log, std::shared_ptr<SimLog::Channel> channel)
      : world_(world), log_(log), channel_(std::move(channel)) {}
  ~SimWriter() override {
    channel_->open = false;
    if (!channel_->to) return;
    // What was on its way may be lost, or come later, after those of the next writer.
    const int fate = world_.random.Below(3);
    if (fate == 0) channel_->waiting.clear();
    if (fate == 1) {
      const size_t kept = channel_->waiting.size();
      channel_->waiting.resize(
          kept == 0 ? 0 : static_cast<size_t>(world_.random.Below(static_cast<int>(kept))));
    }
  }

  absl::StatusOr<uint64_t> Append(std::string_view /*key*/, std::string_view payload) override {
    RETURN_IF_ERROR(channel_->status);
    channel_->waiting.emplace_back(payload);
    return ++appended_;
  }
  void Nudge() override {}
  absl::Status Flush(absl::Duration) override {
    while (channel_->told < appended_ && channel_->status.ok()) log_.Work();
    return channel_->status;
  }
  uint64_t durable_sequence() const override {
    return world_.mutation == Mutation::kAcknowledgedEarly ? appended_ : channel_->told;
  }
  absl::Status status() const override { return channel_->status; }
  bool keeps_keys() const override { return true; }

 private:
  World& world_;
  SimLog& log_;
  const std::shared_ptr<SimLog::Channel> channel_;
  uint64_t appended_ = 0;
};

// Waits by letting the others work. Also where a reader that lacks a check is played.
class SimReader : public eventlog::LogReader {
 public:
  SimReader(World& world, const SimLog& log, std::unique_ptr<eventlog::LogReader> from,
            const Cancel& cancel)
      : world_(world), log_(log), from_(std::move(from)), cancel_(cancel) {}

  absl::Status Read(absl::Duration timeout, std::vector<LogRecord>* records) override {
    world_.MayCrash("log.read");
    RETURN_IF_ERROR(from_->Read(absl::ZeroDuration(), records));
    if (records->empty()) {
      world_.WaitFor(timeout, cancel_);
      RETURN_IF_ERROR(cancel_.status());
      RETURN_IF_ERROR(from_->Read(absl::ZeroDuration(), records));
    }
    if (world_.mutation == Mutation::kEpochNotChecked) RaiseEpochs(records);
    if (world_.mutation == Mutation::kKeptAtHello) KeepUnfinished(records);
    return absl::OkStatus();
  }
  absl::Status Seek(eventlog::Offset offset) override { return from_->Seek(offset); }

 private:
  // As a reader sees them that takes every event for one of the newest epoch.
  void RaiseEpochs(std::vector<LogRecord>* records) {
    texts_.clear();
    for (LogRecord& record : *records) {
      const eventlog::EventHead head = eventlog::PeekEvent(record.payload);
      const uint64_t newest = log_.EpochBefore(record.offset);
      if (head.epoch >= newest || head.body == Event::kHelloFieldNumber) continue;
      Event event;
      event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()));
      event.set_epoch(newest);
      record.payload = texts_.emplace_back(event.SerializeAsString());
    }
  }

  // As a reader sees them that keeps the rows of a transaction which a Hello cut off, and takes
  // them for rows of the next one.
  void KeepUnfinished(std::vector<LogRecord>* records) {
    texts_.clear();
    std::vector<LogRecord> out;
    for (const LogRecord& record : *records) {
      Event event;
      event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()));
      const bool current = event.epoch() >= epoch_;
      if (event.has_hello() && event.epoch() > epoch_) {
        epoch_ = event.epoch();
        kept_.insert(kept_.end(), open_.begin(), open_.end());
        open_.clear();
      }
      if (current && event.has_row()) open_.push_back(event);
      if (current && event.has_commit()) {
        event.mutable_commit()->set_rows(event.commit().rows() + added_);
        added_ = 0;
        open_.clear();
      }
      out.push_back({record.offset, texts_.emplace_back(event.SerializeAsString())});
      if (!current || !event.has_begin()) continue;
      added_ = kept_.size();
      for (Event& row : kept_) {
        row.set_epoch(event.epoch());
        out.push_back({record.offset, texts_.emplace_back(row.SerializeAsString())});
      }
      kept_.clear();
    }
    *records = std::move(out);
  }

  World& world_;
  const SimLog& log_;
  const std::unique_ptr<eventlog::LogReader> from_;
  const Cancel& cancel_;
  std::deque<std::string> texts_;
  uint64_t epoch_ = 0;
  uint64_t added_ = 0;
  std::vector<Event> open_, kept_;
};

absl::StatusOr<std::unique_ptr<eventlog::LogWriter>> SimLog::OpenWriter(const std::string& topic) {
  auto channel = std::make_shared<Channel>();
  ASSIGN_OR_RETURN(channel->to, log_.OpenWriter(topic));
  channels_.push_back(channel);
  return std::make_unique<SimWriter>(world_, *this, std::move(channel));
}

absl::StatusOr<std::unique_ptr<eventlog::LogReader>> SimLog::OpenReader(const std::string& topic,
                                                                        eventlog::Offset from) {
  ASSIGN_OR_RETURN(auto reader, log_.OpenReader(topic, from));
  return std::make_unique<SimReader>(world_, *this, std::move(reader), cancel_);
}

void SimLog::Deliver(Channel* channel) {
  const std::string payload = std::move(channel->waiting.front());
  channel->waiting.pop_front();
  const auto appended = channel->to->Append("", payload);
  world_.Check(appended.ok(), [&] { return std::string(appended.status().message()); });
  ++channel->delivered;
  const eventlog::EventHead head = eventlog::PeekEvent(payload);
  if (head.body == Event::kHelloFieldNumber) hellos_.emplace_back(next_, head.epoch);
  ++next_;
  if (head.body != Event::kCommitFieldNumber || head.epoch < EpochBefore(next_)) return;
  Event event;
  event.ParseFromString(payload);
  const uint64_t lsn = event.commit().commit_lsn();
  commits_.insert(std::upper_bound(commits_.begin(), commits_.end(), lsn), lsn);
}

void SimLog::Settle(Channel* channel) {
  Random& random = world_.random;
  const int most = static_cast<int>(channel->waiting.size());
  const int some = most == 0 ? 0 : random.Below(most + 1);
  for (int i = 0; i < some; ++i) Deliver(channel);
  if (!channel->open || !channel->status.ok()) return;
  if (random.OneIn(2)) channel->told = channel->delivered;
  if (world_.faults && random.OneIn(80)) {
    channel->status = absl::UnavailableError("the log's writer has lost its connection");
  }
}

void SimLog::Work() {
  for (const auto& channel : channels_) Settle(channel.get());
  std::erase_if(channels_,
                [](const auto& channel) { return !channel->open && channel->waiting.empty(); });
}

bool SimLog::HasCommit(Lsn lsn) const {
  return std::binary_search(commits_.begin(), commits_.end(), lsn.value());
}

uint64_t SimLog::EpochBefore(eventlog::Offset offset) const {
  uint64_t epoch = 0;
  for (const auto& [at, of] : hellos_) {
    if (at < offset) epoch = std::max(epoch, of);
  }
  return epoch;
}

}  // namespace switchyard::sim
