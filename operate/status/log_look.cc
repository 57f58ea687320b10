#include "operate/status/log_look.h"

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/eventlog/kafka_log.h"
#include "common/eventlog/sqlite_reserve.h"
#include "operate/log_options.h"

namespace switchyard::operate {

operate::LogFacts LogLook::Now() {
  if (file_.log.kafka.empty()) return OfFile();
  operate::LogFacts facts;
  const absl::StatusOr<int64_t> next = NextOffset();
  if (next.ok()) {
    facts.next_offset = *next;
  } else {
    facts.unreachable = absl::IsUnavailable(next.status());
    facts.error = FindingOf(
        next.status(),
        facts.unreachable ? absl::StrCat(kStartTheBroker, "; the roles wait for it") : "");
  }
  return facts;
}

absl::StatusOr<int64_t> LogLook::NextOffset() {
  if (kafka_ == nullptr) {
    ASSIGN_OR_RETURN(const eventlog::LogOptions options, LogOptionsOf(file_));
    // The roles say when a topic is gone for good; the next look asks again.
    ASSIGN_OR_RETURN(kafka_, eventlog::KafkaLog::Open(options, cancel_, absl::ZeroDuration()));
  }
  ASSIGN_OR_RETURN(const eventlog::TopicInfo topic, kafka_->Describe(change_topic_));
  return topic.next;
}

operate::LogFacts LogLook::OfFile() const {
  const std::filesystem::path path = file_.log.sqlite_path;
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return {.error = {path.string() + ": " + error.message(), ""}};
  const uintmax_t wal = std::filesystem::file_size(path.string() + "-wal", error);
  operate::LogFacts facts{.bytes = static_cast<int64_t>(error ? bytes : bytes + wal)};
  const std::filesystem::space_info space = std::filesystem::space(path, error);
  if (!error) facts.free_bytes = static_cast<int64_t>(space.available);
  if (const absl::Status room = eventlog::CheckRoom(path.string()); !room.ok()) {
    facts.full = FindingOf(room,
                           "let the replayer run, which trims the log, or make room there; capture "
                           "goes on by itself");
  }
  return facts;
}

}  // namespace switchyard::operate
