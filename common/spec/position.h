// Where something stands in a text file.
#pragma once

namespace switchyard::spec {

// 1-based; 0 when unknown. Columns count characters.
struct Position {
  int line = 0;
  int column = 0;
};

}  // namespace switchyard::spec
