#include "common/records/copy_lanes.h"

namespace switchyard::records {
namespace {

std::vector<int64_t> Places(const pg::Rows& rows) {
  std::vector<int64_t> places;
  for (int i = 0; i < rows.rows(); ++i) places.push_back(rows.i64(i, 0));
  return places;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> CopyLanes::Begin(int lanes, int64_t offset) {
  RETURN_IF_ERROR(
      sql_.Run("INSERT INTO switchyard.copy_lane (stream, lane, next_offset) "
               "SELECT $1, lane, $3::bigint FROM generate_series(0, $2::int - 1) lane "
               "WHERE NOT EXISTS (SELECT FROM switchyard.copy_lane WHERE stream = $1)",
               {stream_, std::to_string(lanes), std::to_string(offset)}));
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT next_offset FROM switchyard.copy_lane WHERE stream = $1 ORDER BY lane",
               {stream_}));
  return Places(rows);
}

absl::StatusOr<std::vector<int64_t>> CopyLanes::Lock() {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.AskPrepared("SELECT next_offset FROM switchyard.copy_lane "
                                    "WHERE stream = $1 ORDER BY lane FOR UPDATE",
                                    {stream_}));
  return Places(rows);
}

absl::StatusOr<bool> CopyLanes::LockAt(int lane, int64_t offset) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.AskPrepared("SELECT FROM switchyard.copy_lane WHERE stream = $1 AND lane = $2::int AND "
                       "next_offset = $3::bigint FOR UPDATE",
                       {stream_, std::to_string(lane), std::to_string(offset)}));
  return row.rows() == 1;
}

absl::Status CopyLanes::Move(int lane, int64_t offset) {
  return sql_
      .AskPrepared(
          "UPDATE switchyard.copy_lane SET next_offset = $3::bigint "
          "WHERE stream = $1 AND lane = $2::int",
          {stream_, std::to_string(lane), std::to_string(offset)})
      .status();
}

absl::Status CopyLanes::MoveAll(int64_t offset) {
  return sql_
      .AskPrepared("UPDATE switchyard.copy_lane SET next_offset = $2::bigint WHERE stream = $1",
                   {stream_, std::to_string(offset)})
      .status();
}

absl::Status CopyLanes::End() {
  return sql_.Run("DELETE FROM switchyard.copy_lane WHERE stream = $1", {stream_});
}

}  // namespace switchyard::records
