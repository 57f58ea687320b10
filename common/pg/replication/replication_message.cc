#include "common/pg/replication/replication_message.h"

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/postgres_time.h"
#include "common/pg/error.h"

namespace switchyard::pg::internal {
namespace {

constexpr size_t kDataHeaderBytes = 1 + 8 + 8 + 8;
constexpr size_t kKeepaliveBytes = 1 + 8 + 8 + 1;

uint64_t BigEndian(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void AppendBigEndian(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) *out += static_cast<char>(value >> shift & 0xFF);
}

absl::Status BadMessage(std::string_view message) {
  return Lost(
      absl::StrFormat("the replication stream holds a message of type 0x%02x with %d bytes "
                      "that is not as documented",
                      message.empty() ? 0 : static_cast<uint8_t>(message[0]), message.size()),
      pg::kAskTheServerItself);
}

}  // namespace

absl::StatusOr<Frame> ParseFrame(std::string_view message) {
  if (message.size() >= kDataHeaderBytes && message[0] == 'w') {
    return Frame{.kind = Frame::Kind::kData,
                 .start = Lsn(BigEndian(message, 1)),
                 .wal_end = Lsn(BigEndian(message, 9)),
                 .send_time_us = UnixMicros(BigEndian(message, 17)),
                 .payload = message.substr(kDataHeaderBytes)};
  }
  if (message.size() == kKeepaliveBytes && message[0] == 'k') {
    return Frame{.kind = Frame::Kind::kKeepalive,
                 .wal_end = Lsn(BigEndian(message, 1)),
                 .send_time_us = UnixMicros(BigEndian(message, 9)),
                 .reply_requested = message[17] != 0};
  }
  return BadMessage(message);
}

std::string StatusUpdate(Lsn flushed, int64_t now_us) {
  std::string message = "r";
  for (int i = 0; i < 3; ++i) AppendBigEndian(flushed.value(), &message);
  AppendBigEndian(static_cast<uint64_t>(now_us - kPostgresEpochUs), &message);
  message += '\0';  // no answer wanted
  return message;
}

}  // namespace switchyard::pg::internal
