// Numbers for people. HumanBytes is in common/base/strings.h. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace switchyard::operate {

// 1240000 -> "1,240,000"
std::string HumanCount(int64_t count);
// "0.04 s", "3.2 s", "41 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; never negative.
std::string HumanDuration(absl::Duration duration);

}  // namespace switchyard::operate
