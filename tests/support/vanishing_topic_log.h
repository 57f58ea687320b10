// A memory log that loses one topic, once, right after somebody made sure that it is there or
// opened it for writing: as when an operator deletes it at that moment.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/eventlog/memory_log.h"

namespace switchyard::testing {

class VanishingTopicLog : public eventlog::MemoryLog {
 public:
  enum class Moment { kNever, kMade, kOpenedForWriting };

  using MemoryLog::MemoryLog;

  // Set while nobody uses the log.
  void VanishOnce(const std::string& topic, Moment after) {
    topic_ = topic;
    moment_ = after;
  }
  bool vanished() const { return moment_ == Moment::kNever; }

  absl::Status CreateTopic(const std::string& topic) override {
    RETURN_IF_ERROR(MemoryLog::CreateTopic(topic));
    VanishAt(Moment::kMade, topic);
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogWriter>> OpenWriter(
      const std::string& topic) override {
    auto writer = MemoryLog::OpenWriter(topic);
    VanishAt(Moment::kOpenedForWriting, topic);
    return writer;
  }

 private:
  void VanishAt(Moment moment, const std::string& topic) {
    if (topic == topic_ && moment_.compare_exchange_strong(moment, Moment::kNever)) {
      DeleteTopic(topic);
    }
  }

  std::string topic_;
  std::atomic<Moment> moment_ = Moment::kNever;
};

}  // namespace switchyard::testing
