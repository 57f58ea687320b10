// Row events read from their bytes without copying a value: nine of ten events on a change topic
// are rows, and a protobuf object with a string per column costs more than everything else done to
// them before they reach the target.
//
//   RowView row;
//   ASSIGN_OR_RETURN(bool is_row, ParseRowEvent(payload, &row));
//   if (!is_row) event.ParseFromArray(...);
//
// The format is that of Event and Row in proto/event.proto, as protobuf's encoding guide describes
// it; unknown fields are skipped. Views point into the payload.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "proto/event.pb.h"

namespace switchyard::changes {

struct TupleView {
  bool present = false;
  std::string_view kinds;
  std::vector<std::string_view> values;
};

struct RowView {
  uint32_t format = 0;
  uint64_t epoch = 0;
  event::v1::Row::Op op = event::v1::Row::OP_UNSPECIFIED;
  uint32_t relation_id = 0;
  TupleView new_tuple;
  TupleView old_tuple;
};

// False: the event is none of a row, `row` is undefined. DataLoss: the bytes are cut short or are
// not an event's.
absl::StatusOr<bool> ParseRowEvent(std::string_view payload, RowView* row);

// The same view of an event that was parsed; `event` must outlive it.
void ViewRow(const event::v1::Event& event, RowView* row);

}  // namespace switchyard::changes
