#include "cli/commands/exit_code.h"

#include "common/pg/error.h"
#include "gtest/gtest.h"

namespace switchyard::cli {
namespace {

TEST(ExitCodeTest, MapsEveryStatusToWhatACallerDoesNext) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), ExitCode::kDone);
  EXPECT_EQ(ExitCodeFor(absl::FailedPreconditionError("")), ExitCode::kNo);
  EXPECT_EQ(ExitCodeFor(absl::AbortedError("")), ExitCode::kNo);
  EXPECT_EQ(ExitCodeFor(absl::DataLossError("")), ExitCode::kNo);
  EXPECT_EQ(ExitCodeFor(absl::InvalidArgumentError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeFor(absl::NotFoundError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeFor(absl::DeadlineExceededError("")), ExitCode::kInconclusive);
  EXPECT_EQ(ExitCodeFor(absl::CancelledError("")), ExitCode::kInconclusive);
  EXPECT_EQ(ExitCodeFor(absl::UnknownError("")), ExitCode::kAmbiguous);
}

TEST(ExitCodeTest, ARefusedLoginIsUnavailableWhicheverCommandMeetsIt) {
  EXPECT_EQ(ExitCodeFor(pg::WithErrorFields(absl::FailedPreconditionError(""),
                                            {.sqlstate = "28P01", .severity = "FATAL"})),
            ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeFor(pg::WithErrorFields(absl::FailedPreconditionError(""),
                                            {.sqlstate = "42501", .severity = "ERROR"})),
            ExitCode::kNo);
}

TEST(ExitCodeTest, NumbersAndWordsAreStable) {
  EXPECT_EQ(static_cast<int>(ExitCode::kAmbiguous), 5);
  EXPECT_EQ(ExitCodeWord(ExitCode::kUnavailable), "unavailable");
  EXPECT_EQ(ExitCodeWord(ExitCode::kDone), "done");
}

}  // namespace
}  // namespace switchyard::cli
