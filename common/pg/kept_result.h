// A Result of rows that no server gave: answers kept from one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/pg/session.h"

namespace switchyard::pg {

struct KeptColumn {
  std::string name;
  uint32_t type = 25;  // OID: text
  int32_t modifier = -1;
  bool plain = false;  // as Result::column_is_plain
};

// Each row has a value for each column.
Result KeptResult(const std::vector<KeptColumn>& columns,
                  const std::vector<std::vector<std::optional<std::string>>>& rows);

}  // namespace switchyard::pg
