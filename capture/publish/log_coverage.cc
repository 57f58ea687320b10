#include "capture/publish/log_coverage.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/eventlog/part.h"
#include "proto/event.pb.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;

constexpr eventlog::Offset kFirstWindow = 4096;
constexpr eventlog::Offset kWindowGrowth = 8;

bool TellsPosition(uint32_t body) {
  return body == Event::kCommitFieldNumber || body == Event::kHeartbeatFieldNumber ||
         body == Event::kHelloFieldNumber;
}

Lsn PositionOf(const Event& event) {
  switch (event.body_case()) {
    case Event::kCommit:
      return Lsn(event.commit().end_lsn());
    case Event::kHeartbeat:
      return Lsn(event.heartbeat().lsn());
    case Event::kHello:
      return Lsn(event.hello().start_lsn());
    default:
      return Lsn();
  }
}

// Takes one record into account, as a reader of the stream would: a newer epoch counts from its
// Hello on, an older one no more.
absl::Status Consider(const eventlog::LogRecord& record, LogCoverage* coverage) {
  const eventlog::EventHead head = eventlog::PeekEvent(record.payload);
  if (head.epoch < coverage->epoch) return absl::OkStatus();
  if (head.epoch > coverage->epoch) {
    coverage->epoch = head.epoch;
    coverage->covered = Lsn();
  }
  if (!TellsPosition(head.body)) return absl::OkStatus();
  Event event;
  if (!event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
    return Lost(absl::StrFormat("record at offset %d is no event of ours", record.offset),
                kCopyAllAnew);
  }
  coverage->covered = PositionOf(event);
  coverage->reached = std::max(coverage->reached, coverage->covered);
  return absl::OkStatus();
}

absl::Status Scan(eventlog::EventLog& log, const std::string& topic, eventlog::Offset from,
                  eventlog::Offset next, const Cancel& cancel, absl::Duration quiet,
                  LogCoverage* coverage) {
  ASSIGN_OR_RETURN(const auto reader, log.OpenReader(topic, from));
  std::vector<eventlog::LogRecord> records;
  absl::Time quiet_since = absl::Now();
  bool asked = false;
  for (eventlog::Offset last = from - 1; last + 1 < next;) {
    RETURN_IF_ERROR(cancel.status());
    RETURN_IF_ERROR(reader->Read(std::min(quiet, absl::Seconds(1)), &records));
    if (records.empty() && absl::Now() - quiet_since > quiet) {
      // A log that can't be reached gives nothing either.
      RETURN_IF_ERROR(log.Describe(topic).status());
      if (std::exchange(asked, true)) break;
      quiet_since = absl::Now();
    }
    if (!records.empty()) quiet_since = absl::Now();
    for (const eventlog::LogRecord& record : records) {
      last = record.offset;
      RETURN_IF_ERROR(Consider(record, coverage));
    }
  }
  return absl::OkStatus();
}

// Reads back from the end until something tells; `from` is where the last scan began.
absl::StatusOr<LogCoverage> LookBack(eventlog::EventLog& log, const std::string& topic,
                                     const eventlog::TopicInfo& info, const Cancel& cancel,
                                     absl::Duration quiet, eventlog::Offset* from) {
  LogCoverage coverage{
      .topic_id = info.id, .empty = info.next == info.first, .trimmed = info.first > 0};
  if (coverage.empty) return coverage;
  for (eventlog::Offset window = kFirstWindow;; window *= kWindowGrowth) {
    *from = std::max(info.first, info.next - window);
    coverage.epoch = 0;
    RETURN_IF_ERROR(Scan(log, topic, *from, info.next, cancel, quiet, &coverage));
    if (coverage.covered.valid() || *from == info.first) return coverage;
  }
}

}  // namespace

absl::StatusOr<LogCoverage> FindLogCoverage(eventlog::EventLog& log, const std::string& topic,
                                            const Cancel& cancel, absl::Duration quiet) {
  while (true) {
    ASSIGN_OR_RETURN(const eventlog::TopicInfo info, log.Describe(topic));
    eventlog::Offset from = 0;
    auto coverage = LookBack(log, topic, info, cancel, quiet, &from);
    if (!absl::IsDataLoss(coverage.status())) return coverage;
    // A replayer trims what it has applied, and may have done so since the log was described.
    ASSIGN_OR_RETURN(const eventlog::TopicInfo now, log.Describe(topic));
    if (now.first <= from) return coverage;
  }
}

}  // namespace switchyard::capture
