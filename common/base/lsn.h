// A position in a Postgres write-ahead log.
//
// A snapshot or slot point L contains the commits with commit LSN < L. A position p means every
// commit <= p is applied: a copy at L starts at position L-1.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace switchyard {

class Lsn {
 public:
  constexpr Lsn() = default;  // 0/0, "invalid" in Postgres
  constexpr explicit Lsn(uint64_t value) : value_(value) {}

  // Postgres text form: up to 8 hex digits, '/', up to 8 hex digits. InvalidArgument otherwise.
  static absl::StatusOr<Lsn> Parse(std::string_view text);

  constexpr uint64_t value() const { return value_; }
  constexpr bool valid() const { return value_ != 0; }
  std::string ToString() const;  // "0/16B3748"

  friend constexpr auto operator<=>(Lsn, Lsn) = default;

 private:
  uint64_t value_ = 0;
};

}  // namespace switchyard
