#include "common/pg/replication/replication_message.h"

#include <string>

#include "tests/support/status_matchers.h"

namespace switchyard::pg::internal {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

std::string Hex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// LSN 0/16B3748, end of WAL 1/2, one second after 2000-01-01.
const std::string kData = "w" + Hex("00000000016b3748"
                                    "0000000100000002"
                                    "00000000000f4240");
const std::string kKeepalive = "k" + Hex("0000000100000002"
                                         "00000000000f4240"
                                         "01");

TEST(ReplicationMessageTest, ReadsDataWithAnyPayload) {
  for (const std::string& payload : {std::string(), std::string("B"), std::string(1000, '\0')}) {
    const std::string message = kData + payload;
    ASSERT_OK_AND_ASSIGN(const Frame frame, ParseFrame(message));
    EXPECT_EQ(frame.kind, Frame::Kind::kData);
    EXPECT_EQ(frame.start, Lsn(0x16B3748));
    EXPECT_EQ(frame.wal_end, Lsn(0x100000002));
    EXPECT_EQ(frame.send_time_us, 946'684'801'000'000);
    EXPECT_EQ(frame.payload, payload);
    EXPECT_FALSE(frame.reply_requested);
  }
}

TEST(ReplicationMessageTest, ReadsKeepalives) {
  ASSERT_OK_AND_ASSIGN(const Frame frame, ParseFrame(kKeepalive));
  EXPECT_EQ(frame.kind, Frame::Kind::kKeepalive);
  EXPECT_EQ(frame.start, Lsn());
  EXPECT_EQ(frame.wal_end, Lsn(0x100000002));
  EXPECT_TRUE(frame.reply_requested);
  std::string quiet = kKeepalive;
  quiet.back() = '\0';
  EXPECT_FALSE(ParseFrame(quiet)->reply_requested);
}

TEST(ReplicationMessageTest, RefusesEveryTruncationLeftOverBytesAndUnknownTypes) {
  for (size_t size = 0; size < kData.size(); ++size) {
    EXPECT_THAT(ParseFrame(kData.substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("")))
        << size;
  }
  for (size_t size = 0; size < kKeepalive.size(); ++size) {
    EXPECT_FALSE(ParseFrame(kKeepalive.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(ParseFrame(kKeepalive + "x").ok());
  std::string unknown = kData;
  unknown[0] = 'x';
  EXPECT_THAT(ParseFrame(unknown), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("0x78")));
}

TEST(ReplicationMessageTest, TakesAnyServerClock) {
  const std::string message = "w" + std::string(16, '\0') + std::string(8, '\xff');
  EXPECT_OK(ParseFrame(message));
  EXPECT_OK(ParseFrame("w" + std::string(16, '\0') + "\x7f" + std::string(7, '\xff')));
}

TEST(ReplicationMessageTest, WritesTheStatusUpdateAsDocumented) {
  EXPECT_EQ(StatusUpdate(Lsn(0x16B3748), 946'684'801'000'000), "r" + Hex("00000000016b3748"
                                                                         "00000000016b3748"
                                                                         "00000000016b3748"
                                                                         "00000000000f4240"
                                                                         "00"));
}

}  // namespace
}  // namespace switchyard::pg::internal
