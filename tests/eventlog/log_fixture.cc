#include "tests/eventlog/log_fixture.h"

#include <unistd.h>

#include <cstring>

#include "absl/time/clock.h"
#include "proto/event.pb.h"
#include "tests/support/status_matchers.h"

namespace switchyard::eventlog {

std::unique_ptr<LogWriter> EventLogTest::WriterOf(const std::string& topic) {
  auto writer = log().OpenWriter(topic);
  EXPECT_OK(writer);
  return writer.ok() ? *std::move(writer) : nullptr;
}

std::unique_ptr<LogReader> EventLogTest::ReaderOf(const std::string& topic, Offset from) {
  auto reader = log().OpenReader(topic, from);
  EXPECT_OK(reader);
  return reader.ok() ? *std::move(reader) : nullptr;
}

std::string MakeEvent(uint64_t epoch, std::string_view text) {
  event::v1::Event event;
  event.set_format(1);
  event.set_epoch(epoch);
  event.mutable_message()->set_content(std::string(text));
  return event.SerializeAsString();
}

std::string TextOf(std::string_view payload) {
  event::v1::Event event;
  if (!event.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
    return "not an event";
  return event.message().content();
}

std::string LongText(size_t bytes) {
  constexpr uint64_t kLetters = 0x6161616161616161;  // "aaaaaaaa"
  constexpr uint64_t kNibbles = 0x0f0f0f0f0f0f0f0f;
  std::string text(bytes + sizeof(uint64_t), 'x');
  uint64_t state = bytes;
  for (size_t i = 0; i < bytes; i += sizeof state) {
    state = state * 6364136223846793005 + 1442695040888963407;
    const uint64_t letters = kLetters + ((state >> 4) & kNibbles);
    std::memcpy(&text[i], &letters, sizeof letters);
  }
  text.resize(bytes);
  return text;
}

std::string FastFolder() { return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ""; }

absl::StatusOr<std::vector<ReadBack>> ReadSome(LogReader& reader, size_t count) {
  std::vector<ReadBack> result;
  std::vector<LogRecord> records;
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (result.size() < count && absl::Now() < deadline) {
    RETURN_IF_ERROR(reader.Read(absl::Seconds(10), &records));
    for (const LogRecord& record : records) {
      result.push_back({record.offset, std::string(record.payload)});
    }
  }
  return result;
}

}  // namespace switchyard::eventlog
