// From where on a stream is consistent with a copy.
#pragma once

#include "common/base/lsn.h"
#include "common/records/stream/position.h"

namespace switchyard::records {

// Whether all commits below `point` are applied, which a copy as of `point` holds: from there on it
// goes together with what the stream wrote. A source that is idle only ever moves covered_lsn.
inline bool Reaches(const Position& position, Lsn point) {
  return position.lsn.value() + 1 >= point.value() || position.covered_lsn >= point;
}

}  // namespace switchyard::records
