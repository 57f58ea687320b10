// Records larger than a log's message limit travel as Part events (proto/event.proto): the
// writer cuts, the reader joins.
//
//   for (uint32_t i = 0; i < PartCount(payload.size(), limit); ++i) {
//     EncodePart(payload, i, limit, &piece);  // piece is one message
//   }
//
// Pure. The wire format is written and read by hand here: a row event must not be parsed twice
// just to learn that it is no Part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/status.h"
#include "common/eventlog/event_log.h"

namespace switchyard::eventlog {

// What can be told of a serialized Event from its first bytes.
struct EventHead {
  uint64_t epoch = 0;
  uint32_t body = 0;   // field number of the body, 0 if there is none
  size_t body_at = 0;  // where the body's field begins
};
// Of something that is no Event: all zero.
EventHead PeekEvent(std::string_view payload);

// How many parts a payload of this size makes; 1 when it fits one message as it is.
uint32_t PartCount(size_t payload_bytes, size_t part_bytes_max);

// The serialized Part event with bytes [index * part_bytes_max, ...) of `payload`, which carries
// the epoch of the payload. Replaces `out`; at most part_bytes_max + kPartOverheadBytes long.
void EncodePart(std::string_view payload, uint32_t index, size_t part_bytes_max, std::string* out);
inline constexpr size_t kPartOverheadBytes = 64;

// Puts parts together again. One per reader, fed with every record of the topic in order.
//
// Two epochs may interleave (a capture that was replaced and does not know it yet). A record of an
// older epoch in the midst of the parts of a newer one is dropped, and so is an unfinished record
// when a newer epoch begins: a reader of events drops both anyway.
class PartJoiner {
 public:
  enum class Outcome {
    kRecord,    // an ordinary record: take it as it is
    kJoined,    // the last part came: offset() and TakePayload() are the record
    kConsumed,  // a part, or something dropped
  };

  // DataLoss when parts do not fit together: one is missing, repeated or of another size.
  absl::StatusOr<Outcome> Add(Offset offset, std::string_view payload) {
    const EventHead head = PeekEvent(payload);
    if (head.body != kPartField && !pending_) {
      if (head.epoch > epoch_) epoch_ = head.epoch;
      seen_any_ = true;
      return Outcome::kRecord;
    }
    return AddSlow(offset, payload, head);
  }

  Offset offset() const { return offset_; }
  std::string TakePayload() { return std::exchange(joined_, {}); }

  // After a seek: what was begun is forgotten, and parts without a beginning are skipped.
  void Reset();

 private:
  static constexpr uint32_t kPartField = 14;

  absl::StatusOr<Outcome> AddSlow(Offset offset, std::string_view payload, const EventHead& head);
  absl::StatusOr<Outcome> AddPart(Offset offset, std::string_view payload, const EventHead& head);
  void Abandon();

  bool seen_any_ = false;  // a record of epoch_ was seen since the last seek
  uint64_t epoch_ = 0;     // highest seen since then
  bool pending_ = false;   // some parts of a record of epoch_ have come
  bool skipping_ = false;  // in the rest of a record whose beginning was before the seek
  Offset offset_ = 0;
  uint32_t next_index_ = 0;
  uint32_t count_ = 0;
  std::string joined_;
};

}  // namespace switchyard::eventlog
