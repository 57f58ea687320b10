#include "common/base/log.h"

#include "gtest/gtest.h"

namespace switchyard {
namespace {

TEST(LogTest, QuotesValuesThatWouldBreakTheLine) {
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "replayer", "apply failed",
                          {{"stream", "shop"}, {"error", "two \"owners\"\nshare a key"}}),
            "E replayer \"apply failed\" stream=shop error=\"two \\\"owners\\\"\\nshare a key\"");
}

}  // namespace
}  // namespace switchyard
