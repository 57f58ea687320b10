#include "operate/report/human.h"

#include "gtest/gtest.h"
#include "operate/report/table_text.h"

namespace switchyard::operate {
namespace {

TEST(HumanTest, GroupsDigits) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1240000), "1,240,000");
  EXPECT_EQ(HumanCount(-1234), "-1,234");
  EXPECT_EQ(HumanCount(-123), "-123");
}

TEST(HumanTest, WritesDurationsInTwoUnits) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(41)), "0.04 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(3200)), "3.2 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(41)), "41 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(200)), "3 min 20 s");
  EXPECT_EQ(HumanDuration(absl::Minutes(125)), "2 h 5 min");
  EXPECT_EQ(HumanDuration(absl::Hours(76)), "3 d 4 h");
  EXPECT_EQ(HumanDuration(absl::Minutes(2)), "2 min");
  EXPECT_EQ(HumanDuration(-absl::Seconds(5)), "0.00 s");
  EXPECT_FALSE(HumanDuration(absl::InfiniteDuration()).empty());
}

TEST(TableTextTest, AlignsColumnsByCharactersAndTrimsTheEnd) {
  EXPECT_EQ(AlignColumns({{"é", "1"}, {"long", "12", "x"}, {"a"}},
                         {Align::kLeft, Align::kRight, Align::kLeft}, 1),
            " é      1\n long  12  x\n a\n");
}

}  // namespace
}  // namespace switchyard::operate
