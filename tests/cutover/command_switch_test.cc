#include <filesystem>
#include <fstream>
#include <sstream>

#include "cutover/traffic/command.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::cutover {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(20);

class CommandSwitchTest : public ::testing::Test {
 protected:
  CommandSwitch Make(const std::string& script, absl::Duration timeout = kLimit) {
    return CommandSwitch(
        {.name = "dns", .argv = {"/bin/sh", "-c", script, "sh"}, .timeout = timeout});
  }
  std::string Said() const {
    std::ifstream in(said_);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  const testing::TempDir folder_;
  const std::string said_ = folder_.path() + "/said";
};

TEST_F(CommandSwitchTest, IsToldActionSideAndEpoch) {
  CommandSwitch dns = Make("echo $1 side=$SWITCHYARD_SIDE epoch=$SWITCHYARD_EPOCH >> " + said_);
  EXPECT_OK(dns.Verify(Side::kOld, kLimit));
  EXPECT_OK(dns.Hold(7, kLimit));
  EXPECT_OK(dns.Flip(Side::kNew, 7, kLimit));
  EXPECT_OK(dns.Resume(7, kLimit));
  EXPECT_EQ(Said(),
            "verify side=old epoch=\nhold side= epoch=7\nflip side=new epoch=7\n"
            "resume side= epoch=7\n");
}

TEST_F(CommandSwitchTest, WhatItWroteIsToldWhereItFails) {
  CommandSwitch dns = Make("echo no such zone >&2; exit 3");
  EXPECT_THAT(dns.Flip(Side::kNew, 7, kLimit),
              testing::StatusIs(absl::StatusCode::kUnavailable,
                                HasSubstr("flip ended with 3: no such zone")));
}

TEST_F(CommandSwitchTest, OneThatHangsIsKilledWithAllItStarted) {
  CommandSwitch dns =
      Make("(sleep 1000; echo alive >> " + said_ + ") & sleep 1000", absl::Milliseconds(200));
  EXPECT_TRUE(absl::IsDeadlineExceeded(dns.Hold(7, kLimit)));
  EXPECT_TRUE(absl::IsUnknown(dns.Flip(Side::kNew, 7, kLimit))) << "it may have been done";
}

TEST_F(CommandSwitchTest, OneThatIsNotThereIsRefused) {
  CommandSwitch none({.name = "dns", .argv = {folder_.path() + "/none"}});
  EXPECT_TRUE(absl::IsFailedPrecondition(none.Verify(Side::kOld, kLimit)));
}

}  // namespace
}  // namespace switchyard::cutover
