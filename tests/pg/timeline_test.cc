#include "common/pg/replication/timeline.h"

#include "tests/support/status_matchers.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::StatusIs;

TEST(TimelineTest, EachLineSaysWhereATimelineEnded) {
  ASSERT_OK_AND_ASSIGN(const TimelineEnds ends,
                       ParseTimelineHistory("1\t0/3000148\tno recovery target specified\n\n"
                                            "# by hand\n"
                                            "3\t1/A0\tbefore 2026-01-01 00:00:00+00\n"));
  EXPECT_EQ(ends, (TimelineEnds{{1, Lsn(0x3000148)}, {3, Lsn(0x1000000A0)}}));
  EXPECT_TRUE(ParseTimelineHistory("")->empty());
}

TEST(TimelineTest, AnythingElseIsALoss) {
  for (const char* text : {"0/3000148", "one\t0/3000148\t", "1", "\x7f\t1"}) {
    EXPECT_THAT(ParseTimelineHistory(text),
                StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr("no line of")))
        << text;
  }
  EXPECT_THAT(ParseTimelineHistory("1\tfar\t"),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
}

}  // namespace
}  // namespace switchyard::pg
