// SY_CHECK: for our own bugs, on in release too; never for input, network or configuration.
#pragma once

namespace switchyard::internal {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}  // namespace switchyard::internal

#define SY_CHECK(condition) \
  ((condition) ? (void)0 : ::switchyard::internal::CheckFailed(#condition, __FILE__, __LINE__))
