#include "common/records/source/capture_requests.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace switchyard::records {

absl::Status CaptureRequests::AskRecopy(const std::vector<uint32_t>& relation_ids) {
  return sql_.Run(
      "INSERT INTO switchyard.capture_request (stream, kind, relation_id) "
      "SELECT $1, 'recopy', unnest($2::oid[])",
      {stream_, absl::StrCat("{", absl::StrJoin(relation_ids, ","), "}")});
}

absl::StatusOr<std::vector<uint32_t>> CaptureRequests::Take() {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    UPDATE switchyard.capture_request SET taken_at = now()
    WHERE stream = $1 AND kind = 'recopy' AND taken_at IS NULL RETURNING relation_id)",
                                                 {stream_}));
  std::vector<uint32_t> relations;
  relations.reserve(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    relations.push_back(static_cast<uint32_t>(rows.i64(i, 0)));
  }
  return relations;
}

}  // namespace switchyard::records
