// One table that is copied again, as far as the copy topic has brought it. Plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/records/stream/position.h"
#include "proto/event.pb.h"

namespace switchyard::replayer {

struct RecopyOptions {
  std::string stream;
  std::string change_topic;
  std::string copy_topic;
  // Whether the target's types have learnt from this failure what could not be read: it is tried
  // again then. Null: never.
  std::function<bool(const absl::Status&)> learns_from;
};

struct RecopyLeaf {
  uint64_t generation = 0;
  Lsn lsn;
  event::v1::Relation shape;
  absl::Status fit;  // not OK: why the copy is of no use
  int64_t rows = 0;
  bool done = false;
};

struct RecopyJob {
  mapping::SourceIndex source;
  std::map<uint32_t, RecopyLeaf> leaves;
  uint32_t partitions = 0;  // that belong to the copy; 0: not partitioned
  std::string side;         // temporary table, shaped like the source's stage
  records::Position from;   // where the stream stood when it was asked for
  bool outdated = false;    // the log holds rows after it that the copy can't be rolled through
};

}  // namespace switchyard::replayer
