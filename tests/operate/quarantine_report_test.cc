#include "operate/report/quarantine_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

QuarantineReport Conflict() {
  return {.stream = "shop.reverse",
          .total = 1,
          .entries = {{.id = 7,
                       .table = "public.customers",
                       .scope = R"({"id": "1"})",
                       .operation = "recompute",
                       .lsn = "0/1",
                       .sqlstate = "23Y01",
                       .error = "the row was changed by somebody else: phone",
                       .rows_before = R"([{"id": "1", "phone": "a"}])",
                       .rows_after = R"([{"id": "1", "phone": "b"}])",
                       .rows_there = R"([{"id": "1", "phone": "c"}])"}}};
}

TEST(QuarantineReportTest, AConflictHasTheRowsBeforeAfterAndThere) {
  const std::string text = QuarantineText(Conflict());
  EXPECT_THAT(text, HasSubstr("    before: [{\"id\": \"1\", \"phone\": \"a\"}]\n"
                              "    after: [{\"id\": \"1\", \"phone\": \"b\"}]\n"
                              "    there: [{\"id\": \"1\", \"phone\": \"c\"}]\n"));
  EXPECT_THAT(text, HasSubstr("switchyard quarantine FILE retry 7"));
  EXPECT_THAT(text, Not(HasSubstr("row of OLD")));
}

TEST(QuarantineReportTest, RowsThatCantBeComputedAreSaidToBeSo) {
  QuarantineReport report = Conflict();
  report.entries[0].rows_after = "";
  EXPECT_THAT(QuarantineText(report), HasSubstr("    after: can't be computed\n"));
}

TEST(QuarantineReportTest, JsonIsTheMessageOfControlProto) {
  control::v1::Quarantine message;
  ASSERT_TRUE(testing::IsJsonOf(QuarantineJson(Conflict()), &message));
  EXPECT_EQ(message.entries(0).rows_before_size(), 1);
  EXPECT_EQ(message.entries(0).rows_after_size(), 1);
  // Read by the library: protobuf's maps are not built for ThreadSanitizer.
  EXPECT_THAT(message.entries(0).rows_there(0).ShortDebugString(),
              AllOf(HasSubstr("\"phone\""), HasSubstr("string_value: \"c\"")));
}

}  // namespace
}  // namespace switchyard::operate
