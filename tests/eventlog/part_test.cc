#include "common/eventlog/part.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/event.pb.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::eventlog {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kLimit = 100;

std::vector<std::string> Cut(std::string_view payload) {
  std::vector<std::string> pieces;
  for (uint32_t i = 0; i < PartCount(payload.size(), kLimit); ++i) {
    EncodePart(payload, i, kLimit, &pieces.emplace_back());
  }
  return pieces;
}

// Feeds records at offsets 0, 1, 2 ... and returns what comes out.
absl::StatusOr<std::vector<std::string>> Join(const std::vector<std::string>& records) {
  PartJoiner joiner;
  std::vector<std::string> out;
  Offset offset = 0;
  for (const std::string& record : records) {
    ASSIGN_OR_RETURN(const auto outcome, joiner.Add(offset++, record));
    if (outcome == PartJoiner::Outcome::kRecord) out.push_back(record);
    if (outcome == PartJoiner::Outcome::kJoined) out.push_back(joiner.TakePayload());
  }
  return out;
}

TEST(PartTest, PiecesAreEventsThatProtobufReads) {
  const std::string payload = MakeEvent(7, LongText(250));
  const std::vector<std::string> pieces = Cut(payload);
  ASSERT_EQ(pieces.size(), 3U);
  std::string joined;
  for (size_t i = 0; i < pieces.size(); ++i) {
    event::v1::Event event;
    ASSERT_TRUE(event.ParseFromString(pieces[i]));
    EXPECT_EQ(event.format(), 1U);
    EXPECT_EQ(event.epoch(), 7U);
    EXPECT_EQ(event.part().index(), i);
    EXPECT_EQ(event.part().count(), 3U);
    EXPECT_LE(pieces[i].size(), kLimit + kPartOverheadBytes);
    joined += event.part().data();
    // What is written by hand is what protobuf would read and skip nothing of; proto3 leaves the
    // zero of index 0 out, so only the others are equal byte for byte.
    if (i > 0) {
      EXPECT_EQ(event.SerializeAsString(), pieces[i]);
    }
  }
  EXPECT_EQ(joined, payload);
}

TEST(PartTest, ReadsPartsThatProtobufWrote) {
  const std::string payload = MakeEvent(7, LongText(250));
  std::vector<std::string> pieces;
  for (const std::string& piece : Cut(payload)) {
    event::v1::Event event;
    ASSERT_TRUE(event.ParseFromString(piece));
    pieces.push_back(event.SerializeAsString());
  }
  ASSERT_OK_AND_ASSIGN(const auto joined, Join(pieces));
  EXPECT_THAT(joined, ElementsAre(payload));
}

TEST(PartTest, CutsOnlyWhatIsTooLarge) {
  EXPECT_EQ(PartCount(0, kLimit), 1U);
  EXPECT_EQ(PartCount(kLimit, kLimit), 1U);
  EXPECT_EQ(PartCount(kLimit + 1, kLimit), 2U);
  EXPECT_EQ(PartCount(2 * kLimit, kLimit), 2U);
  EXPECT_EQ(PartCount(kPayloadBytesMax, 900'000), 1112U);
}

TEST(PartTest, PeeksTheEpochAndTheBody) {
  EXPECT_EQ(PeekEvent(MakeEvent(300, "x")).epoch, 300U);
  EXPECT_EQ(PeekEvent(MakeEvent(300, "x")).body, 10U);
  EXPECT_EQ(PeekEvent("").body, 0U);
  EXPECT_EQ(PeekEvent("r text that begins with the tag of Part").body, 0U);
  const std::string event = MakeEvent(300, "x");
  EXPECT_EQ(PeekEvent(std::string_view(event).substr(0, 3)).body, 0U);
}

TEST(PartTest, JoinsPartsBetweenOrdinaryRecords) {
  const std::string a = MakeEvent(1, "a");
  const std::string b = MakeEvent(1, LongText(1000));
  const std::string c = MakeEvent(1, "c");
  std::vector<std::string> records = {a};
  for (const std::string& piece : Cut(b)) records.push_back(piece);
  records.push_back(c);
  ASSERT_OK_AND_ASSIGN(const auto joined, Join(records));
  EXPECT_THAT(joined, ElementsAre(a, b, c));
}

TEST(PartTest, SkipsTheRestOfARecordThatBeganBeforeTheFirstRead) {
  std::vector<std::string> records = Cut(MakeEvent(1, LongText(450)));
  records.erase(records.begin(), records.begin() + 2);
  records.push_back(MakeEvent(1, "next"));
  ASSERT_OK_AND_ASSIGN(const auto joined, Join(records));
  EXPECT_THAT(joined, ElementsAre(MakeEvent(1, "next")));
}

TEST(PartTest, DropsAnUnfinishedRecordWhenANewerEpochBegins) {
  const std::vector<std::string> old_parts = Cut(MakeEvent(1, LongText(300)));
  const std::string hello = MakeEvent(2, "hello");
  const std::string large = MakeEvent(2, LongText(250));
  std::vector<std::string> records = {old_parts[0], old_parts[1], hello};
  for (const std::string& piece : Cut(large)) records.push_back(piece);
  ASSERT_OK_AND_ASSIGN(const auto joined, Join(records));
  EXPECT_THAT(joined, ElementsAre(hello, large));
}

// A capture that was replaced and does not know it yet still writes.
TEST(PartTest, DropsAnOlderEpochBetweenTheParts) {
  const std::vector<std::string> old_parts = Cut(MakeEvent(1, LongText(300)));
  const std::string large = MakeEvent(2, LongText(250));
  const std::vector<std::string> parts = Cut(large);
  const std::vector<std::string> records = {
      old_parts[0], MakeEvent(2, "hello"), parts[0],     old_parts[1],
      parts[1],     MakeEvent(1, "late"),  old_parts[2], parts[2]};
  ASSERT_OK_AND_ASSIGN(const auto joined, Join(records));
  EXPECT_THAT(joined, ElementsAre(MakeEvent(2, "hello"), large));
}

TEST(PartTest, RefusesPartsThatDoNotFitTogether) {
  const std::vector<std::string> parts = Cut(MakeEvent(1, LongText(450)));
  const std::string first = MakeEvent(1, "first");
  const auto refused = StatusIs(absl::StatusCode::kDataLoss, HasSubstr("offset"));
  EXPECT_THAT(Join({first, parts[1]}), refused);                                // no beginning
  EXPECT_THAT(Join({first, parts[0], parts[2]}), refused);                      // a hole
  EXPECT_THAT(Join({first, parts[0], parts[0]}), refused);                      // twice
  EXPECT_THAT(Join({first, parts[0], MakeEvent(1, "x")}), refused);             // no end
  EXPECT_THAT(Join({parts[0], Cut(MakeEvent(1, LongText(250)))[1]}), refused);  // other count
}

TEST(PartTest, RefusesEveryTruncationOfAPart) {
  const std::string piece = Cut(MakeEvent(1, LongText(250)))[0];
  const size_t head = PeekEvent(piece).body_at;
  for (size_t size = head + 1; size < piece.size(); ++size) {
    EXPECT_THAT(Join({piece.substr(0, size)}), StatusIs(absl::StatusCode::kDataLoss, ::testing::_))
        << size;
  }
}

}  // namespace
}  // namespace switchyard::eventlog
