// A MemoryLog with what happens to logs: records wait to be delivered, are lost when nobody was
// told that they are there, are there though nobody was told, and come from writers that were
// replaced.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/memory_log.h"
#include "tests/sim/world.h"

namespace switchyard::sim {

class SimLog : public eventlog::EventLog {
 public:
  SimLog(World& world, const Cancel& cancel) : world_(world), cancel_(cancel), log_(cancel) {}

  absl::Status CreateTopic(const std::string& topic) override { return log_.CreateTopic(topic); }
  absl::StatusOr<eventlog::TopicInfo> Describe(const std::string& topic) override {
    return log_.Describe(topic);
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogWriter>> OpenWriter(
      const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> OpenReader(const std::string& topic,
                                                                  eventlog::Offset from) override;
  absl::Status Trim(const std::string& topic, eventlog::Offset before) override {
    return log_.Trim(topic, before);
  }

  // The log itself, for whoever looks at it without waiting.
  eventlog::EventLog& kept() { return log_; }
  // Delivers some of what waits, answers some of what was delivered.
  void Work();
  // Whether the log holds, for good, the transaction that commits there.
  bool HasCommit(Lsn lsn) const;

 private:
  friend class SimWriter;
  friend class SimReader;
  // What a writer handed over; outlives it.
  struct Channel {
    std::unique_ptr<eventlog::LogWriter> to;
    std::deque<std::string> waiting;
    uint64_t delivered = 0;
    uint64_t told = 0;
    bool open = true;
    absl::Status status;
  };

  void Deliver(Channel* channel);
  void Settle(Channel* channel);
  uint64_t EpochBefore(eventlog::Offset offset) const;

  World& world_;
  const Cancel& cancel_;
  eventlog::MemoryLog log_;
  std::vector<std::shared_ptr<Channel>> channels_;
  eventlog::Offset next_ = 0;
  std::vector<uint64_t> commits_;  // of an epoch that was the newest then; sorted
  std::vector<std::pair<eventlog::Offset, uint64_t>> hellos_;  // offset, epoch
};

}  // namespace switchyard::sim
