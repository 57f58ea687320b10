#include "operate/report/verify/verify_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

using records::Verdict;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsJsonOf;
using ::testing::Not;

VerifyReport Different() {
  return {.stream = "shop.forward",
          .verdict = Verdict::kDifferent,
          .fingerprint = "f",
          .lsn = Lsn(0x16B3748),
          .held = absl::Milliseconds(42),
          .took = absl::Seconds(3),
          .tables = {{.table = "public.users",
                      .owns = "kind = 'a'",
                      .lsn = Lsn(0x16B3748),
                      .verdict = Verdict::kDifferent,
                      .rows = 1'200'000,
                      .missing = 1,
                      .extra = 2}},
          .differences = {{.table = "public.users",
                           .kind = "missing",
                           .key = R"({"id": "7"})",
                           .expected = R"({"id": "7", "name": null})"}},
          .left_out = {"columns no mapping reads: users.shoe_size"},
          .quarantined = 3};
}

TEST(VerifyReportTest, SaysWhatDiffersWhatWasLeftOutAndWhatToDo) {
  const std::string text = VerifyText(Different());
  for (const char* part :
       {"public.users where kind = 'a'  1,200,000        1          0      2",
        "  missing  public.users {\"id\": \"7\"}\n"
        "    OLD says: {\"id\": \"7\", \"name\": null}\n",
        "not compared: columns no mapping reads: users.shoe_size\n",
        "quarantine: 3 rows or scopes wait there",
        "both as of LSN 0/16B3748 of OLD, in 3.0 s; the replayer was held for 42 ms",
        "shop.forward: different\n", "--show public.users\n", "--repair\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("NEW has")));
}

TEST(VerifyReportTest, InconclusiveSaysWhy) {
  const VerifyReport report{.stream = "shop.forward", .reason = "no replayer runs; next: start it"};
  EXPECT_EQ(VerifyText(report), "shop.forward: inconclusive: no replayer runs; next: start it\n");
}

TEST(VerifyReportTest, ItsJsonIsThatOfTheProtocol) {
  control::v1::VerifyResult result;
  ASSERT_TRUE(IsJsonOf(VerifyJson(Different()), &result)) << VerifyJson(Different());
  EXPECT_EQ(result.verdict(), "different");
  EXPECT_EQ(result.differences_found(), 3);
  EXPECT_EQ(result.tables(0).rows_compared(), 1'200'000);
  // Read by the library: protobuf's maps are not built for ThreadSanitizer.
  EXPECT_THAT(result.differences(0).key().ShortDebugString(),
              AllOf(HasSubstr("\"id\""), HasSubstr("string_value: \"7\"")));
  EXPECT_TRUE(IsJsonOf(VerifyJson({.stream = "s", .reason = "why"}), &result));
  const DifferencesReport shown{.stream = "shop.forward",
                                .table = "public.users",
                                .results = Different().tables,
                                .differences = Different().differences};
  EXPECT_TRUE(IsJsonOf(DifferencesJson(shown), &result)) << DifferencesJson(shown);
  EXPECT_THAT(DifferencesText(shown), HasSubstr("3 rows differ, the first 1 are shown"));
}

}  // namespace
}  // namespace switchyard::operate
