#include "replayer/loop/republished.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/eventlog/part.h"
#include "proto/event.pb.h"

namespace switchyard::replayer {
namespace {

using event::v1::Event;

constexpr absl::Duration kReadWait = absl::Seconds(1);
constexpr int kEmptyReadsMax = 10;

// In [first, end).
absl::StatusOr<std::optional<int64_t>> FindHello(eventlog::LogReader& reader, int64_t first,
                                                 int64_t end, uint64_t above_epoch,
                                                 const Cancel& cancel) {
  std::vector<eventlog::LogRecord> records;
  int empty_reads = 0;
  for (int64_t next = first; next < end;) {
    RETURN_IF_ERROR(cancel.status());
    RETURN_IF_ERROR(reader.Read(kReadWait, &records));
    if (records.empty() && ++empty_reads == kEmptyReadsMax) {
      return absl::UnavailableError("the log gives no more records");
    }
    for (const eventlog::LogRecord& record : records) {
      if (record.offset >= end) return std::nullopt;
      const eventlog::EventHead head = eventlog::PeekEvent(record.payload);
      if (head.body == Event::kHelloFieldNumber && head.epoch > above_epoch) return record.offset;
      next = record.offset + 1;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<int64_t> FindRepublished(eventlog::EventLog& log, const std::string& topic,
                                        const records::Position& position, const absl::Status& lost,
                                        const Cancel& cancel) {
  const absl::StatusOr<eventlog::TopicInfo> info = log.Describe(topic);
  if (absl::IsNotFound(info.status())) return lost;
  RETURN_IF_ERROR(info.status());
  // Made again; or trimmed too far.
  if (info->next == 0 || position.next_offset < info->first) return lost;
  ASSIGN_OR_RETURN(const auto reader, log.OpenReader(topic, info->first));
  const int64_t end = std::min(info->next, position.next_offset);
  const auto hello = FindHello(*reader, info->first, end, position.epoch, cancel);
  if (absl::IsDataLoss(hello.status())) return lost;
  RETURN_IF_ERROR(hello.status());
  if (hello->has_value()) return **hello;
  if (info->next >= position.next_offset) return lost;
  return absl::UnavailableError(absl::StrFormat(
      "topic %s ends at offset %d, before %d, up to where it was read: the broker has lost its "
      "end. "
      "What capture was not told to be there it publishes again, under its next epoch; that is "
      "waited for. Should more than that be lost, capture stops and says so",
      topic, info->next, position.next_offset));
}

}  // namespace switchyard::replayer
