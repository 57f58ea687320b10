// Time as Postgres' protocols give it: microseconds since 2000-01-01.
#pragma once

#include <cstdint>

namespace switchyard {

inline constexpr int64_t kPostgresEpochUs = 946'684'800'000'000;  // in Unix time

// Wraps instead of overflowing: the time comes from outside.
inline int64_t UnixMicros(uint64_t postgres_us) {
  return static_cast<int64_t>(postgres_us + static_cast<uint64_t>(kPostgresEpochUs));
}

}  // namespace switchyard
