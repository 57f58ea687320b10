// ASSERT_OK, EXPECT_OK, ASSERT_OK_AND_ASSIGN and StatusIs for absl::Status in tests.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "gmock/gmock.h"

namespace switchyard::testing {

inline const absl::Status& ToStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& ToStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, "is OK") {
  const absl::Status& status = ToStatus(arg);
  if (status.ok()) return true;
  *result_listener << std::string(StdSv(status.ToString()));
  return false;
}

// StatusIs(absl::StatusCode::kDataLoss, HasSubstr("trimmed"))
MATCHER_P2(StatusIs, code, message_matcher, "has the code and message") {
  const absl::Status& status = ToStatus(arg);
  *result_listener << std::string(StdSv(status.ToString()));
  return status.code() == code &&
         ::testing::Matches(message_matcher)(std::string(StdSv(status.message())));
}

}  // namespace switchyard::testing

#define EXPECT_OK(expr) EXPECT_THAT((expr), ::switchyard::testing::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT((expr), ::switchyard::testing::IsOk())
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_IMPL(SY_CONCAT(sy_test_or_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  ASSERT_OK(tmp);                                 \
  lhs = *std::move(tmp)
