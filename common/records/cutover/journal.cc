#include "common/records/cutover/journal.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::records {
namespace {

std::string MicrosSql(std::string_view of_epoch) {
  return absl::StrCat("(extract(epoch FROM ", Sv(of_epoch), ") * 1000000)::bigint");
}

}  // namespace

absl::StatusOr<int64_t> Journal::Begin(const JournalStep& step) const {
  pg::Param predicted;
  if (step.predicted) predicted = std::to_string(absl::ToInt64Microseconds(*step.predicted));
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("INSERT INTO switchyard.journal (migration, epoch, step, operator, figures, "
               "predicted) VALUES ($1, $2::bigint, $3, $4, $5, "
               "$6::bigint * interval '1 microsecond') RETURNING id",
               {migration_, std::to_string(step.epoch), step.step, step.operator_name, step.figures,
                predicted}));
  return row.i64(0, 0);
}

absl::Status Journal::End(int64_t id, const std::string& outcome,
                          const std::string& figures) const {
  return sql_.Run(
      "UPDATE switchyard.journal SET ended_at = clock_timestamp(), outcome = $3, "
      "figures = coalesce(nullif($4, ''), figures) "
      "WHERE migration = $1 AND id = $2::bigint AND ended_at IS NULL",
      {migration_, std::to_string(id), outcome, figures});
}

absl::StatusOr<std::optional<absl::Duration>> Journal::Silence(int64_t epoch) const {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(absl::StrCat("SELECT ", MicrosSql("clock_timestamp() - max(greatest(at, ended_at))"),
                            " FROM switchyard.journal WHERE migration = $1 AND epoch = $2::bigint"),
               {migration_, std::to_string(epoch)}));
  if (row.is_null(0, 0)) return std::nullopt;
  return absl::Microseconds(row.i64(0, 0));
}

absl::StatusOr<std::vector<JournalStep>> Journal::OfLastEpoch() const {
  return Select(
      "migration = $1 AND epoch = (SELECT max(epoch) FROM switchyard.journal WHERE migration = $1)",
      {migration_});
}

absl::StatusOr<std::vector<JournalStep>> Journal::Last(int64_t limit) const {
  return Select(
      "id IN (SELECT id FROM switchyard.journal WHERE migration = $1 ORDER BY id DESC "
      "LIMIT $2::bigint)",
      {migration_, std::to_string(limit)});
}

absl::StatusOr<std::vector<JournalStep>> Journal::Select(
    const std::string& where, const std::vector<pg::Param>& params) const {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask(absl::StrCat("SELECT id, epoch, step, operator, figures, ", MicrosSql("predicted"),
                            ", ", MicrosSql("at"), ", ", MicrosSql("ended_at - at"),
                            ", outcome FROM switchyard.journal WHERE ", where, " ORDER BY id"),
               params));
  std::vector<JournalStep> steps;
  for (int i = 0; i < rows.rows(); ++i) {
    JournalStep& step = steps.emplace_back();
    step.id = rows.i64(i, 0);
    step.epoch = rows.i64(i, 1);
    step.step = rows.str(i, 2);
    step.operator_name = rows.str(i, 3);
    step.figures = rows.str(i, 4);
    if (!rows.is_null(i, 5)) step.predicted = absl::Microseconds(rows.i64(i, 5));
    step.at = absl::FromUnixMicros(rows.i64(i, 6));
    if (!rows.is_null(i, 7)) step.actual = absl::Microseconds(rows.i64(i, 7));
    step.outcome = rows.str(i, 8);
  }
  return steps;
}

}  // namespace switchyard::records
