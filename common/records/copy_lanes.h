// Where the lanes of an initial copy stand in the copy topic: switchyard.copy_lane. Lane k takes
// the chunks whose offset modulo the number of lanes is k; those below its place are loaded, or
// void. There are rows only while such a copy is under way.
//
//   ASSIGN_OR_RETURN(const std::vector<int64_t> places, lanes.Begin(2, copy_offset));
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

class CopyLanes {
 public:
  CopyLanes(pg::Sql sql, std::string stream) : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // The places, by lane: those of a copy under way; else that many lanes begin at `offset`.
  absl::StatusOr<std::vector<int64_t>> Begin(int lanes, int64_t offset);

  // The rest within the caller's transaction.
  // The places, by lane, locked: waits for what a lane of a killed replayer may still be
  // committing.
  absl::StatusOr<std::vector<int64_t>> Lock();
  // Whether the lane stands there, where it is locked then.
  absl::StatusOr<bool> LockAt(int lane, int64_t offset);
  absl::Status Move(int lane, int64_t offset);
  absl::Status MoveAll(int64_t offset);
  // The copy has ended, or begins anew.
  absl::Status End();

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
