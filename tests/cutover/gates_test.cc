#include "cutover/gates.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::cutover {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Gate Green(const std::string& name) { return {.name = name, .verdict = Verdict::kGreen}; }

Gate Red(const std::string& name, bool acceptable) {
  return {.name = name,
          .verdict = Verdict::kRed,
          .observed = "4.2 s",
          .limit = "1 s",
          .remedy = "wait for the replayer",
          .acceptable = acceptable};
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(GatesTest, AllGreenPasses) { EXPECT_OK(Pass({Green("lag"), Green("parity")}, {})); }

TEST(GatesTest, NoGateAtAllIsNotGreen) { EXPECT_FALSE(Pass({}, {}).ok()); }

TEST(GatesTest, EveryRedGateIsShownWithFigureLimitAndRemedy) {
  const absl::Status status = Pass({Red("lag", false), Green("parity"), Red("disk", true)}, {});
  EXPECT_THAT(Text(status),
              AllOf(HasSubstr("lag is red: 4.2 s, limit 1 s; next: wait for the replayer"),
                    HasSubstr("disk is red"), Not(HasSubstr("parity"))));
}

TEST(GatesTest, InconclusiveCountsAsRed) {
  EXPECT_FALSE(Pass({Green("lag"), {.name = "parity", .remedy = "run verify"}}, {}).ok());
}

TEST(GatesTest, ARedGateIsGonePastWithAReason) {
  EXPECT_OK(Pass({Red("disk", true)}, {{.gate = "disk", .reason = "extended at noon"}}));
  EXPECT_FALSE(Pass({Red("disk", true)}, {{.gate = "disk", .reason = ""}}).ok());
  EXPECT_FALSE(Pass({Red("disk", true), Red("lag", true)}, {{"disk", "extended"}}).ok());
}

TEST(GatesTest, NoReasonMakesUpForOneThatProtectsData) {
  const absl::Status status = Pass({Red("parity", false)}, {{"parity", "it will be fine"}});
  EXPECT_THAT(Text(status), HasSubstr("parity protects data"));
}

TEST(GatesTest, AnAcceptanceOfNoGateIsAMistake) {
  EXPECT_THAT(Text(Pass({Green("lag")}, {{"lga", "typed in a hurry"}})),
              HasSubstr("there is no gate \"lga\""));
}

}  // namespace
}  // namespace switchyard::cutover
