// Where a stream stands in its target, and one step forward from there.
#pragma once

#include <cstdint>

#include "common/base/lsn.h"

namespace switchyard::records {

struct Position {
  uint64_t epoch = 0;
  Lsn lsn;          // every commit <= lsn is applied
  Lsn covered_lsn;  // the log was read up to here
  int64_t next_offset = 0;
};

// What a transaction of the target adds to the stream's row beside the new position.
struct Advance {
  Position to;
  int64_t commit_time_us = 0;  // the source's clock at covered_lsn; 0 when not known
  // Whether the source's application owns its side, by what its log said up to there.
  bool source_owns = true;
  int64_t transactions = 0;  // of the source
  int64_t rows = 0;          // row events, before collapsing
};

}  // namespace switchyard::records
