#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace switchyard::internal {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "F %s:%d SY_CHECK failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace switchyard::internal
