// The last Relation event of each table of a stream, so that reading can begin anywhere in the log:
// switchyard.relation. They move with the stream's position, in the same transaction.
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/rows.h"
#include "proto/event.pb.h"

namespace switchyard::records {

class Relations {
 public:
  Relations(pg::Sql sql, std::string stream) : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // DataLoss: one that can't be read.
  absl::StatusOr<std::vector<event::v1::Relation>> All();
  // `definition`: a Relation, serialized.
  absl::Status Store(uint32_t relation_id, const std::string& definition);
  absl::Status Forget();

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
