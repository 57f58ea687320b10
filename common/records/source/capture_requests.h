// What people ask of a running capture: switchyard.capture_request of its source. Rows stay; one
// that was taken is the capture's, which writes down what it does about it (captured_tables.h).
//
//   none --AskRecopy--> open --Take--> taken
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

class CaptureRequests {
 public:
  static constexpr char kTable[] = "capture_request";

  CaptureRequests(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // One more copy of each table; a partitioned one stands for all its leaves.
  absl::Status AskRecopy(const std::vector<uint32_t>& relation_ids);
  // The tables to copy again; nobody is given them twice.
  absl::StatusOr<std::vector<uint32_t>> Take();

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
