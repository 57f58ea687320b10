// Log events of one epoch, serialized.
//
//   EventEncoder encoder(epoch);
//   event::v1::Event& event = encoder.New();
//   event.mutable_heartbeat()->set_lsn(lsn.value());
//   writer.Append(key, encoder.Serialize());
//   writer.Append(key, encoder.EncodeRow(row, {.commit_lsn = lsn, .ordinal = 7}));
//
// Rows are nearly all of a stream, so their wire format (proto/event.proto, Row) is written by
// hand, straight from the decoder's views: one pass for the sizes, one that copies each value
// once. Everything else goes through the generated classes.
//
// Thread-compatible. What is returned is valid until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "capture/decode/pgoutput_decoder.h"
#include "common/base/lsn.h"
#include "proto/event.pb.h"

namespace switchyard::capture {

inline constexpr uint32_t kEventFormat = 1;

struct RowPlace {
  Lsn commit_lsn;
  uint64_t ordinal = 0;
};

class EventEncoder {
 public:
  explicit EventEncoder(uint64_t epoch) : epoch_(epoch) {}

  uint64_t epoch() const { return epoch_; }

  // An event with nothing but its format and epoch set; the same object each time.
  event::v1::Event& New();
  // What New() returned, as filled since.
  std::string_view Serialize();

  // A row whose fields fit its relation (RelationCache::Check). Under REPLICA IDENTITY FULL the
  // old row holds the values of the columns that the new one leaves out as unchanged: they are
  // filled in.
  std::string_view EncodeRow(const RowMessage& row, const RowPlace& place);

 private:
  const uint64_t epoch_;
  event::v1::Event event_;
  std::string buffer_;
};

}  // namespace switchyard::capture
