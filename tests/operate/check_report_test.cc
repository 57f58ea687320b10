#include "operate/report/check_report.h"

#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

CheckReport Example() {
  return {.migration = "shop",
          .path = "shop.yaml",
          .faults = {{.where = CheckFault::Where::kFile,
                      .file = "forward/users.sql",
                      .line = 3,
                      .column = 7,
                      .message = "syntax error",
                      .kind = CheckFault::Kind::kMistake},
                     {.where = CheckFault::Where::kOld,
                      .message = "wal_level is replica; capture needs logical",
                      .remedy = "ALTER SYSTEM SET wal_level = 'logical';\nrestart"},
                     {.where = CheckFault::Where::kNew,
                      .message = "can't connect",
                      .kind = CheckFault::Kind::kUnreachable}},
          .warnings = {"NEW is small"},
          .facts = {"OLD: database old"}};
}

TEST(CheckReportTest, PrintsEachFaultWithItsPlaceAndRemedy) {
  EXPECT_EQ(CheckReportText(Example()),
            "forward/users.sql:3:7: syntax error\n"
            "old: wal_level is replica; capture needs logical\n"
            "    ALTER SYSTEM SET wal_level = 'logical';\n"
            "    restart\n"
            "new: can't connect\n"
            "warning: NEW is small\n"
            "OLD: database old\n"
            "shop.yaml: 3 faults\n");
}

TEST(CheckReportTest, SaysOkAndWhetherADatabaseWasAsked) {
  EXPECT_EQ(CheckReportText({.path = "shop.yaml"}), "shop.yaml: ok\n");
  EXPECT_EQ(CheckReportText({.path = "shop.yaml", .offline = true}),
            "shop.yaml: ok (the file only; no database was asked)\n");
}

TEST(CheckReportTest, JsonIsTheMessageOfControlProto) {
  control::v1::CheckResult message;
  ASSERT_TRUE(testing::IsJsonOf(CheckReportJson(Example()), &message));
  EXPECT_FALSE(message.ok());
  ASSERT_EQ(message.faults_size(), 3);
  EXPECT_EQ(message.faults(0).line(), 3);
  EXPECT_EQ(message.faults(1).where(), "old");
  EXPECT_EQ(message.faults(2).kind(), "unreachable");
}

}  // namespace
}  // namespace switchyard::operate
