// What stands on a topic, as parsed events, for tests.
#pragma once

#include <string>
#include <vector>

#include "common/eventlog/event_log.h"
#include "proto/event.pb.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture::testing {

// Follows a topic from its start. Events are kept in `events()` as they are read.
class LogFollower {
 public:
  LogFollower(eventlog::EventLog& log, const std::string& topic) {
    auto reader = log.OpenReader(topic, 0);
    EXPECT_OK(reader);
    if (reader.ok()) reader_ = *std::move(reader);
  }

  // Reads what is there now.
  const std::vector<event::v1::Event>& ReadAll() {
    while (ReadSome(absl::ZeroDuration())) {
    }
    return events_;
  }

  // Reads until an event from `from` on satisfies `done`, at most a minute; false when none did.
  template <typename Predicate>
  bool ReadUntil(Predicate done, size_t from = 0) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    size_t looked = from;
    while (true) {
      for (; looked < events_.size(); ++looked) {
        if (done(events_[looked])) return true;
      }
      if (absl::Now() > deadline) return false;
      ReadSome(absl::Milliseconds(100));
    }
  }

  const std::vector<event::v1::Event>& events() const { return events_; }

 private:
  bool ReadSome(absl::Duration timeout) {
    std::vector<eventlog::LogRecord> records;
    if (reader_ == nullptr) return false;
    const absl::Status status = reader_->Read(timeout, &records);
    EXPECT_OK(status);
    for (const eventlog::LogRecord& record : records) {
      event::v1::Event& event = events_.emplace_back();
      EXPECT_TRUE(
          event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size())));
    }
    return status.ok() && !records.empty();
  }

  std::unique_ptr<eventlog::LogReader> reader_;
  std::vector<event::v1::Event> events_;
};

}  // namespace switchyard::capture::testing
