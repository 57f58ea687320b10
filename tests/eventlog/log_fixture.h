// What the contract test needs to know of one kind of log.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "gtest/gtest.h"

namespace switchyard::eventlog {

class LogFixture {
 public:
  virtual ~LogFixture() = default;

  virtual EventLog& log() = 0;
  // A log of its own on the same data, as another process would open it; null: there is no such
  // thing.
  virtual std::unique_ptr<EventLog> OpenAgain() { return nullptr; }
  virtual absl::Status MakeTopic(const std::string& topic) { return log().CreateTopic(topic); }
  // What a topic is called here: topics of a shared broker need names of their own.
  virtual std::string NameOf(const std::string& topic) { return topic; }
  // False: Trim is not to be had here.
  virtual bool trims() const { return true; }
  // Bytes of the large record.
  virtual size_t large() const { return 100'000'000; }

  Cancel& cancel() { return cancel_; }

 private:
  Cancel cancel_;
};

struct LogKind {
  std::string name;
  std::function<std::unique_ptr<LogFixture>()> make;
};

class EventLogTest : public ::testing::TestWithParam<LogKind> {
 protected:
  EventLogTest() : fixture_(GetParam().make()) {}

  LogFixture& fixture() { return *fixture_; }
  EventLog& log() { return fixture_->log(); }
  std::string NameOf(const std::string& topic) { return fixture_->NameOf(topic); }
  std::string t() { return NameOf("t"); }

  std::unique_ptr<LogWriter> WriterOf(const std::string& topic);
  std::unique_ptr<LogReader> ReaderOf(const std::string& topic, Offset from);

 private:
  std::unique_ptr<LogFixture> fixture_;
};

// A serialized Event of this epoch whose body carries `text`.
std::string MakeEvent(uint64_t epoch, std::string_view text);
// The text of such an Event.
std::string TextOf(std::string_view payload);
// `bytes` of text that differs from place to place.
std::string LongText(size_t bytes);

// Where a sync costs nothing, if there is such a place: no test here cuts the power.
std::string FastFolder();

struct ReadBack {
  Offset offset;
  std::string payload;
};
// Reads until there are `count` records, or a minute has passed, or an error comes.
absl::StatusOr<std::vector<ReadBack>> ReadSome(LogReader& reader, size_t count);

}  // namespace switchyard::eventlog
