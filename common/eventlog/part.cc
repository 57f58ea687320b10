#include "common/eventlog/part.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/varint.h"

namespace switchyard::eventlog {
namespace {

// Tags of proto/event.proto: field number << 3 | wire type.
constexpr uint32_t kFormatTag = 1 << 3;
constexpr uint32_t kEpochTag = 2 << 3;
constexpr uint32_t kPartTag = 14 << 3 | 2;
constexpr uint32_t kIndexTag = 1 << 3;
constexpr uint32_t kCountTag = 2 << 3;
constexpr uint32_t kDataTag = 3 << 3 | 2;
constexpr uint64_t kFormat = 1;
// A count is only believed as far as this before the parts have come.
constexpr size_t kReserveBytesMax = 128 << 20;

struct PartFields {
  uint64_t index = 0;
  uint64_t count = 0;
  std::string_view data;
};

// The Part body that starts at `at`, which is the field of the Event.
std::optional<PartFields> ParsePart(std::string_view payload, size_t at) {
  uint64_t tag = 0;
  uint64_t length = 0;
  if (!ReadVarint(payload, &at, &tag) || tag != kPartTag) return std::nullopt;
  if (!ReadVarint(payload, &at, &length) || length != payload.size() - at) return std::nullopt;
  PartFields part;
  while (at < payload.size()) {
    uint64_t value = 0;
    if (!ReadVarint(payload, &at, &tag) || !ReadVarint(payload, &at, &value)) return std::nullopt;
    switch (tag) {
      case kIndexTag:
        part.index = value;
        break;
      case kCountTag:
        part.count = value;
        break;
      case kDataTag:
        if (value > payload.size() - at) return std::nullopt;
        part.data = payload.substr(at, value);
        at += value;
        break;
      default:
        return std::nullopt;
    }
  }
  return part;
}

}  // namespace

EventHead PeekEvent(std::string_view payload) {
  EventHead head;
  size_t at = 0;
  uint64_t format = 0;
  while (at < payload.size()) {
    head.body_at = at;
    uint64_t tag = 0;
    if (!ReadVarint(payload, &at, &tag)) return {};
    if (tag == kFormatTag) {
      if (!ReadVarint(payload, &at, &format)) return {};
    } else if (tag == kEpochTag) {
      if (!ReadVarint(payload, &at, &head.epoch)) return {};
    } else {
      if (format == 0 || (tag & 7) != 2) return {};  // every event has one, every body is a message
      head.body = static_cast<uint32_t>(tag >> 3);
      return head;
    }
  }
  return format == 0 ? EventHead{} : head;
}

uint32_t PartCount(size_t payload_bytes, size_t part_bytes_max) {
  if (payload_bytes <= part_bytes_max) return 1;
  return static_cast<uint32_t>((payload_bytes + part_bytes_max - 1) / part_bytes_max);
}

void EncodePart(std::string_view payload, uint32_t index, size_t part_bytes_max, std::string* out) {
  const size_t from = index * part_bytes_max;
  SY_CHECK(from < payload.size());
  const std::string_view data = payload.substr(from, part_bytes_max);
  const uint32_t count = PartCount(payload.size(), part_bytes_max);
  const uint64_t epoch = PeekEvent(payload).epoch;
  const size_t body_bytes =
      1 + VarintSize(index) + 1 + VarintSize(count) + 1 + VarintSize(data.size()) + data.size();
  out->clear();
  out->reserve(data.size() + kPartOverheadBytes);
  AppendVarint(kFormatTag, out);
  AppendVarint(kFormat, out);
  AppendVarint(kEpochTag, out);
  AppendVarint(epoch, out);
  AppendVarint(kPartTag, out);
  AppendVarint(body_bytes, out);
  AppendVarint(kIndexTag, out);
  AppendVarint(index, out);
  AppendVarint(kCountTag, out);
  AppendVarint(count, out);
  AppendVarint(kDataTag, out);
  AppendVarint(data.size(), out);
  *out += data;
}

void PartJoiner::Reset() { *this = PartJoiner(); }

void PartJoiner::Abandon() {
  pending_ = false;
  joined_ = std::string();
}

absl::StatusOr<PartJoiner::Outcome> PartJoiner::AddSlow(Offset offset, std::string_view payload,
                                                        const EventHead& head) {
  if (head.epoch > epoch_) {
    epoch_ = head.epoch;
    seen_any_ = false;
    skipping_ = false;
    Abandon();
  }
  // Only older epochs come between the parts of a record: one capture appends one after another.
  if (head.epoch < epoch_ && (pending_ || head.body == kPartField)) return Outcome::kConsumed;
  if (head.body == kPartField) return AddPart(offset, payload, head);
  if (pending_) {
    return Lost(
        absl::StrFormat("record at offset %d is not part %d of %d of the record that begins "
                        "at offset %d",
                        offset, next_index_, count_, offset_),
        kCopyAllAnew);
  }
  seen_any_ = true;
  return Outcome::kRecord;
}

absl::StatusOr<PartJoiner::Outcome> PartJoiner::AddPart(Offset offset, std::string_view payload,
                                                        const EventHead& head) {
  const std::optional<PartFields> part = ParsePart(payload, head.body_at);
  if (!part.has_value() || part->index >= part->count || part->count < 2 ||
      part->count > kPayloadBytesMax) {
    return Lost(absl::StrFormat("malformed Part event at offset %d", offset), kCopyAllAnew);
  }
  if (part->index > 0 && !pending_ && (!seen_any_ || skipping_)) {
    seen_any_ = true;
    skipping_ = part->index + 1 < part->count;
    return Outcome::kConsumed;
  }
  if (part->index == 0 && !pending_) {
    pending_ = true;
    seen_any_ = true;
    skipping_ = false;
    offset_ = offset;
    next_index_ = 0;
    count_ = static_cast<uint32_t>(part->count);
    joined_.reserve(std::min(part->data.size() * part->count, kReserveBytesMax));
  }
  if (!pending_ || part->index != next_index_ || part->count != count_ ||
      joined_.size() + part->data.size() > kPayloadBytesMax) {
    return Lost(absl::StrFormat("part %d of %d at offset %d does not continue the record before it",
                                part->index, part->count, offset),
                kCopyAllAnew);
  }
  joined_ += part->data;
  if (++next_index_ < count_) return Outcome::kConsumed;
  pending_ = false;
  return Outcome::kJoined;
}

}  // namespace switchyard::eventlog
