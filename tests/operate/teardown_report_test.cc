#include "operate/report/teardown_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

TeardownReport Example() {
  return {.migration = "shop",
          .steps = {{.side = TeardownStep::Side::kOld,
                     .what = "replication slot s",
                     .statement = "SELECT pg_drop_replication_slot('s');"},
                    {.side = TeardownStep::Side::kNew,
                     .what = "schema switchyard",
                     .statement = "DROP SCHEMA switchyard;",
                     .owner = "app",
                     .left = "must be owner of schema switchyard"},
                    {.side = TeardownStep::Side::kLog, .what = "file x", .statement = "rm x"}},
          .notes = {"the log stays"}};
}

TEST(TeardownReportTest, SaysWhatIsGoneAndWhatIsStillThere) {
  EXPECT_FALSE(Example().complete());
  EXPECT_EQ(TeardownText(Example()), R"(shop: removed
  OLD  replication slot s
  log  file x
shop: still there
  NEW  schema switchyard: must be owner of schema switchyard
    next: DROP SCHEMA switchyard; (as app)
the log stays
)");
}

TEST(TeardownReportTest, IsAScriptWhenItIsOnlyShown) {
  TeardownReport report = Example();
  report.shown_only = true;
  report.steps[1].left.clear();
  EXPECT_EQ(TeardownText(report), R"(-- OLD: replication slot s
SELECT pg_drop_replication_slot('s');
-- NEW: schema switchyard (as app)
DROP SCHEMA switchyard;
-- log: file x
-- rm x
-- the log stays
)");
}

TEST(TeardownReportTest, SaysWhatMayStayOnASideThatWasNotLookedAt) {
  TeardownReport report = {.migration = "shop", .without = TeardownStep::Side::kOld};
  EXPECT_EQ(
      TeardownText(report),
      "shop: nothing of it is left on NEW and on the log\n"
      "OLD was not looked at. Where it is not gone after all, it keeps the replication slot "
      "(which keeps its WAL from being removed), the publication and schema switchyard; next: "
      "switchyard teardown FILE --only old\n");
  report = Example();
  report.without = TeardownStep::Side::kNew;
  EXPECT_THAT(TeardownText(report), ::testing::HasSubstr("NEW was not looked at."));
}

TEST(TeardownReportTest, JsonIsTheMessageOfControlProto) {
  control::v1::TeardownResult message;
  ASSERT_TRUE(testing::IsJsonOf(TeardownJson(Example()), &message));
  EXPECT_EQ(message.steps_size(), 3);
  EXPECT_TRUE(message.steps(0).removed());
  EXPECT_FALSE(message.steps(1).removed());
  EXPECT_FALSE(message.complete());
}

}  // namespace
}  // namespace switchyard::operate
