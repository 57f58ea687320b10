#include "replayer/target/whole_fill.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/records/stream/progress.h"
#include "replayer/target/quarantine/careful_rows.h"
#include "replayer/write/savepoint.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

using mapping::MappingIndex;

namespace {

// Whole tables are read, which a session that looks up single rows plans badly.
constexpr char kBulk[] =
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; "
    "SET LOCAL random_page_cost = 4; SET LOCAL work_mem = '256MB'";

void LogRefused(const std::string& table, const absl::Status& refused) {
  LogWarn("replayer", "the target refuses what the copy brings; looking for it",
          {{"table", table}, {"error", RefusalText(refused)}});
}

}  // namespace

WholeFill::WholeFill(TableWriter& writer, Quarantine& quarantine, TouchedScopes& touched, Lsn lsn,
                     Care care)
    : writer_(writer),
      stage_(writer.stage()),
      quarantine_(quarantine),
      touched_(touched),
      lsn_(lsn),
      care_(care) {}

absl::Status WholeFill::AtOnce(const std::string& sql) {
  return InSavepoint(stage_.session(), "sy_whole", [&]() -> absl::Status {
    RETURN_IF_ERROR(stage_.session().Execute(kBulk));
    return stage_.session().Execute(sql);
  });
}

absl::Status WholeFill::Ids() {
  for (const mapping::IdAllotment& ids : stage_.plan().ids) {
    RETURN_IF_ERROR(
        writer_.Allot(ids, ids.all, [&](const std::string& sql) { return AtOnce(sql); }));
  }
  return absl::OkStatus();
}

absl::Status WholeFill::RowLocal(MappingIndex mapping, const std::string& rows) {
  const mapping::MappingPlan& plan = stage_.plan().mappings[mapping];
  if (care_ == Care::kNone) {
    const absl::Status status = AtOnce(mapping::BuildLoad(plan.write, rows));
    if (status.ok()) return CheckLoaded(stage_, plan.write, rows);
    if (!IsRefusedRow(status)) return Annotate(status, plan.display);
    LogRefused(plan.display, status);
  }
  RETURN_IF_ERROR(records::ShowRowByRow(stage_.session()));
  return WriteRowsCarefully(writer_, quarantine_, mapping, rows, lsn_);
}

absl::Status WholeFill::Derived(MappingIndex mapping) {
  const mapping::MappingPlan& plan = stage_.plan().mappings[mapping];
  // What is derived at once can't be told from what should be there: scope by scope it can.
  const bool by_scope = care_ == Care::kNone && stage_.hindrances().any(plan.display);
  if (care_ == Care::kNone && !by_scope) {
    const absl::Status status = AtOnce(plan.keyed.populate);
    if (!IsRefusedRow(status)) return Annotate(status, plan.display);
    LogRefused(plan.display, status);
  }
  if (!by_scope) RETURN_IF_ERROR(records::ShowRowByRow(stage_.session()));
  RETURN_IF_ERROR(RefuseNoScope(mapping));
  RETURN_IF_ERROR(touched_.Whole(mapping));
  RETURN_IF_ERROR(
      quarantine_.RecomputeCarefully(mapping, lsn_, [](Moment) { return absl::OkStatus(); }));
  return stage_.CleanRecompute(mapping);
}

// They would be left out without a word, as nothing recomputes them.
absl::Status WholeFill::RefuseNoScope(MappingIndex mapping) {
  const mapping::MappingPlan& plan = stage_.plan().mappings[mapping];
  const auto is_null = [](std::string* out, const std::string& column) {
    *out += QuoteIdentifier(column) + " IS NULL";
  };
  const std::string none = absl::StrJoin(plan.keyed.scope_columns, " OR ", is_null);
  ASSIGN_OR_RETURN(const pg::Result rows,
                   stage_.session().Query(absl::StrCat("SELECT count(*) FROM ", plan.keyed.view,
                                                       " AS sy_v WHERE ", none)));
  if (rows.i64(0, 0) == 0) return absl::OkStatus();
  return Refuse(
      absl::StrFormat("%s: its select gives %d rows whose scope (%s) is NULL", plan.display,
                      rows.i64(0, 0), absl::StrJoin(plan.keyed.scope_columns, ", ")),
      absl::StrFormat("leave them out in the select (WHERE ... IS NOT NULL), run: switchyard "
                      "resume FILE, and start replay again. To see them, on NEW: SELECT * FROM %s "
                      "WHERE %s",
                      plan.keyed.view, none));
}

}  // namespace switchyard::replayer
