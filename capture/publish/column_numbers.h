// Which columns of the catalogue those of a Relation message are. A message names columns; columns
// may swap names, or be dropped and made again, without a rewrite, so the log carries their numbers
// (pg_attribute.attnum) as well.
//
// The catalogue is read a moment after the message was made. A number is given only where all of
// it agrees with the message: else it is 0, not known, and whoever reads the log must not guess.
//
// Thread safety: pure, and a function over a session.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/decode/pgoutput_decoder.h"
#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::capture {

struct ColumnNumbers {
  int32_t own = 0;   // in the table itself; 0: not known
  int32_t root = 0;  // of the same column in its topmost partitioned table; 0: none, or not known
  friend bool operator==(const ColumnNumbers&, const ColumnNumbers&) = default;
};

// A table's columns as the catalogue has them.
struct NumberedColumn {
  std::string name;
  uint32_t type_oid = 0;
  int32_t number = 0;
};
struct NumberedColumns {
  std::vector<NumberedColumn> live;  // that a message would list, by number
  int32_t last = 0;                  // highest number ever given; 0: the table is gone
};

// One entry per column of the message. The columns of a table that is gone are known by its root's.
std::vector<ColumnNumbers> MatchColumns(const std::vector<RelationColumn>& message,
                                        const NumberedColumns& own, const NumberedColumns& root);

// The same with the catalogue as it is now; `root_id` 0: no partition.
absl::StatusOr<std::vector<ColumnNumbers>> LoadColumnNumbers(pg::Session& session,
                                                             const RelationMessage& message,
                                                             uint32_t root_id);

}  // namespace switchyard::capture
