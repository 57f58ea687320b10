#include "common/records/source/capture_suspects.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/records/source/captured_tables.h"

namespace switchyard::records {

// A table is known by its oid, so nothing is lost while it has another name.
absl::StatusOr<bool> CaptureSuspects::ClearRenames(const Drift& drift) const {
  if (drift.renamed_to.empty()) return false;
  ASSIGN_OR_RETURN(const pg::Rows cleared, sql_.Ask(R"(
    WITH open AS (
      SELECT id, schema_name || '.' || table_name AS was FROM switchyard.capture_suspect
      WHERE stream = $1 AND relation_id = $2 AND cleared_at IS NULL AND starts_with(reason, $3))
    UPDATE switchyard.capture_suspect SET cleared_at = now()
    WHERE id IN (SELECT id FROM open)
      AND id >= (SELECT min(id) FROM open WHERE was = $4))",
                                                    {stream_, std::to_string(drift.relation_id),
                                                     std::string(kRenamedTo), drift.renamed_to}));
  return cleared.affected() > 0;
}

absl::Status CaptureSuspects::Note(const std::vector<Drift>& drifts) const {
  for (const Drift& drift : drifts) {
    ASSIGN_OR_RETURN(const bool renamed_back, ClearRenames(drift));
    if (renamed_back) continue;
    RETURN_IF_ERROR(sql_.Run(R"(
      INSERT INTO switchyard.capture_suspect
        (stream, relation_id, schema_name, table_name, reason, next_step, seen_lsn)
      VALUES ($1, $2, $3, $4, $5, $6, pg_current_wal_insert_lsn())
      ON CONFLICT (stream, relation_id, reason) WHERE cleared_at IS NULL
      DO UPDATE SET seen_lsn = excluded.seen_lsn, seen_at = now())",
                             {stream_, std::to_string(drift.relation_id), drift.schema, drift.name,
                              drift.reason, drift.next_step}));
  }
  return absl::OkStatus();
}

absl::Status CaptureSuspects::Forget(const std::vector<uint32_t>& kept) const {
  return sql_.Run(
      "UPDATE switchyard.capture_suspect SET cleared_at = now() WHERE stream = $1 AND "
      "cleared_at IS NULL AND (relation_id <> ALL($2::oid[]) OR starts_with(reason, $3))",
      {stream_, absl::StrCat("{", absl::StrJoin(kept, ","), "}"), std::string(kRenamedTo)});
}

absl::StatusOr<std::vector<OpenSuspect>> CaptureSuspects::Open() const {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask(absl::StrCat(R"(
    SELECT s.schema_name || '.' || s.table_name, s.reason, s.next_step, s.seen_lsn,
           coalesce()",
                                         CapturedLeavesSql("s.stream", "s.relation_id"), R"(, '')
    FROM switchyard.capture_suspect s WHERE s.stream = $1 AND s.cleared_at IS NULL ORDER BY s.id)"),
                            {stream_}));
  std::vector<OpenSuspect> open;
  for (int i = 0; i < rows.rows(); ++i) {
    OpenSuspect& suspect = open.emplace_back();
    suspect.table = rows.str(i, 0);
    suspect.reason = rows.str(i, 1);
    suspect.next_step = rows.str(i, 2);
    ASSIGN_OR_RETURN(suspect.seen, Lsn::Parse(rows.text(i, 3)));
    for (const auto leaf : absl::StrSplit(Sv(rows.text(i, 4)), ',', absl::SkipEmpty())) {
      SY_CHECK(absl::SimpleAtoi(leaf, &suspect.leaves.emplace_back()));
    }
  }
  return open;
}

absl::StatusOr<Lsn> CaptureSuspects::LastSeen(const std::vector<std::string>& endings) const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT seen_lsn FROM switchyard.capture_suspect
    WHERE stream = $1 AND EXISTS (SELECT FROM unnest($2::text[]) AS ending
                                  WHERE right(reason, length(ending)) = ending)
    ORDER BY seen_lsn DESC LIMIT 1)",
                                                 {stream_, ArrayLiteral(endings)}));
  return rows.rows() == 0 ? Lsn() : Lsn::Parse(rows.text(0, 0));
}

std::string ClearSuspectsSql(std::string_view stream) {
  return absl::StrCat("UPDATE switchyard.capture_suspect SET cleared_at = now() WHERE stream = ",
                      Sv(stream), " AND cleared_at IS NULL");
}

}  // namespace switchyard::records
