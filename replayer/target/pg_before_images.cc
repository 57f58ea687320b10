#include "replayer/target/pg_before_images.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/changes/batch.h"
#include "common/mapping/sql/sql_pieces.h"
#include "common/records/quarantine_entries.h"
#include "replayer/target/quarantine/quarantine.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::Temp;

namespace {

constexpr size_t kSendBytes = size_t{256} << 10;
// What a recompute has (Stage::PreferHashJoins); and no wait for a lock of the transaction that
// waits for the answer.
constexpr char kAsARecompute[] =
    "SET enable_hashjoin = on; SET enable_mergejoin = on; SET lock_timeout = '10s'";

}  // namespace

absl::Status PgBeforeImages::LookBefore(const std::string& transaction) {
  if (session_ != nullptr && session_->alive() && transaction_ == transaction) {
    return absl::OkStatus();
  }
  Release();
  if (session_ == nullptr) {
    ASSIGN_OR_RETURN(session_, OpenTarget(options_, cancel_));
    RETURN_IF_ERROR(session_->Execute(kAsARecompute));
  }
  RETURN_IF_ERROR(session_->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  transaction_ = transaction;
  return absl::OkStatus();
}

void PgBeforeImages::Release() {
  if (!transaction_.empty() && session_ != nullptr) session_->Rollback();
  transaction_.clear();
  if (session_ != nullptr && !session_->alive()) session_.reset();
}

absl::Status PgBeforeImages::CopyIn(const pg::Result& rows, const std::string& copy) {
  if (rows.rows() == 0) return absl::OkStatus();
  RETURN_IF_ERROR(stage_.session().BeginCopyIn(copy));
  std::string lines;
  for (int row = 0; row < rows.rows(); ++row) {
    for (int column = 0; column < rows.columns(); ++column) {
      if (column > 0) lines += '\t';
      if (rows.is_null(row, column)) {
        lines += "\\N";
      } else {
        changes::AppendCopyText(rows.text(row, column), &lines);
      }
    }
    lines += '\n';
    if (lines.size() < kSendBytes) continue;
    RETURN_IF_ERROR(stage_.session().PutCopyData(lines));
    lines.clear();
  }
  RETURN_IF_ERROR(stage_.session().PutCopyData(lines));
  return stage_.session().EndCopyIn().status();
}

absl::Status PgBeforeImages::TakeFromEntries(MappingIndex mapping) {
  const mapping::MappingPlan& plan = stage_.plan().mappings[mapping];
  records::QuarantineEntries entries(stage_.session(), options_.stream);
  return entries.TakeBefore(
      mapping::QuarantineTarget(plan),
      {.table = Temp(plan.keyed.touched_table),
       .equal = mapping::KeyEqual(plan.keyed.scope_columns, plan.operators, "e", "s"),
       .condition = "true"},
      {.table = Temp(plan.keyed.patch.before_table),
       .same_scope = mapping::KeyEqual(plan.keyed.scope_columns, plan.operators, "sy_f", "sy_e"),
       .values = plan.keyed.patch.entry_values});
}

absl::Status PgBeforeImages::Fill(MappingIndex mapping) {
  const mapping::PatchPlan& patch = stage_.plan().mappings[mapping].keyed.patch;
  ASSIGN_OR_RETURN(const pg::Result scopes, stage_.session().QueryPrepared(patch.scopes));
  if (scopes.i64(0, 1) > 0) {
    RETURN_IF_ERROR(LookBefore(scopes.str(0, 0)));
    const absl::StatusOr<pg::Result> rows =
        session_->QueryPrepared(patch.images, {scopes.str(0, 2)});
    if (!rows.ok()) {
      Release();
      return Annotate(rows.status(), "rows as they were before");
    }
    RETURN_IF_ERROR(CopyIn(*rows, patch.before_copy));
  }
  if (notes_) RETURN_IF_ERROR(stage_.Run(patch.take_put));
  if (quarantine_ == nullptr || !quarantine_->active(mapping)) return absl::OkStatus();
  return TakeFromEntries(mapping);
}

absl::Status PgBeforeImages::NoteWritten(MappingIndex mapping) {
  if (!notes_) return absl::OkStatus();
  for (const std::string& sql : stage_.plan().mappings[mapping].keyed.patch.note) {
    RETURN_IF_ERROR(stage_.Run(sql));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
