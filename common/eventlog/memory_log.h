// An EventLog in memory, for tests: the contract, and the faults a test wants to cause.
//
//   MemoryLog log(cancel);
//   log.HoldDurability();        // appended records stay in flight: unacknowledged, unseen
//   log.Crash();                 // they are lost, and the writers that appended them end
//
// Thread-safe; its writers and readers are thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"

namespace switchyard::eventlog {

class MemoryLog : public EventLog {
 public:
  // `cancel` ends the waits of the log and of what it opens; it must outlive them.
  explicit MemoryLog(const Cancel& cancel);
  ~MemoryLog() override;

  absl::Status CreateTopic(const std::string& topic) override;
  absl::StatusOr<TopicInfo> Describe(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                        Offset from) override;
  absl::Status Trim(const std::string& topic, Offset before) override;

  // From now on nothing becomes durable until released.
  void HoldDurability();
  void ReleaseDurability();
  // What is not durable is lost, and every writer open now fails with `status`.
  void Crash(const absl::Status& status);
  // The last records, which readers may have read, are lost; their writers don't know of it.
  void LoseEnd(const std::string& topic, int records);
  // As if deleted by hand; readers and writers of it end with DataLoss.
  void DeleteTopic(const std::string& topic);
  // Bytes in flight at which Append blocks.
  void SetInFlightMax(size_t bytes);

 private:
  class Topic;
  class Writer;
  class Reader;
  struct State;

  // Shared with readers and writers, which tests may let outlive a log.
  const std::shared_ptr<State> state_;
};

}  // namespace switchyard::eventlog
