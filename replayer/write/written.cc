#include "replayer/write/written.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/install/hindrances.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::TableWrite;
using mapping::Temp;

namespace {

bool Hindered(const Stage& stage, const std::string& table) {
  return stage.hindrances().any(table);
}

absl::StatusOr<int64_t> Count(Stage& stage, const std::string& sql) {
  ASSIGN_OR_RETURN(const pg::Result row, stage.session().Query(sql));
  return row.i64(0, 0);
}

absl::Status Judge(const Stage& stage, const std::string& table, int64_t not_so, int64_t rows) {
  if (not_so <= 0) return absl::OkStatus();
  return mapping::NotAsWritten(stage.hindrances(), table, not_so, std::max(rows, not_so));
}

absl::Status CheckStaged(Stage& stage, const TableWrite& write, Gone gone, int64_t missed) {
  pg::Session& session = stage.session();
  RETURN_IF_ERROR(stage.PreferHashJoins());
  RETURN_IF_ERROR(session.Query(write.written_take).status());
  ASSIGN_OR_RETURN(const pg::Result row, session.Query(write.written_count));
  ASSIGN_OR_RETURN(const int64_t looked_at,
                   Count(stage, "SELECT count(*) FROM " + Temp(write.taken_table)));
  RETURN_IF_ERROR(session.Execute("DELETE FROM " + Temp(write.taken_table)));
  RETURN_IF_ERROR(stage.PreferIndexes());
  // Rows that were to be changed and were not there are told of elsewhere.
  const int64_t lost = row.i64(0, 0) + std::max<int64_t>(0, row.i64(0, 1) - missed);
  const int64_t left = gone == Gone::kNow ? row.i64(0, 3) : 0;
  const int64_t not_so = lost + row.i64(0, 2) + left;
  return Judge(stage, write.display, not_so, looked_at + lost + left);
}

absl::Status CheckLoadedRows(Stage& stage, const TableWrite& write, const std::string& load) {
  pg::Session& session = stage.session();
  const auto from = [&](const std::string& sql) { return ReplaceInSql(sql, "{load}", load); };
  RETURN_IF_ERROR(session.Query(from(write.loaded_take)).status());
  ASSIGN_OR_RETURN(const pg::Result row, session.Query(from(write.loaded_count)));
  RETURN_IF_ERROR(session.Execute("DELETE FROM " + Temp(write.taken_table)));
  return Judge(stage, write.display, row.i64(0, 0) - row.i64(0, 1), row.i64(0, 0));
}

// A lane of the copy has no stage until it needs one.
absl::Status MakeTakenTable(Stage& stage, const TableWrite& write) {
  ASSIGN_OR_RETURN(
      const pg::Result there,
      stage.session().Query("SELECT to_regclass($1) IS NOT NULL", {Temp(write.taken_table)}));
  return there.boolean(0, 0) ? absl::OkStatus() : stage.session().Execute(write.taken_table_ddl);
}

}  // namespace

absl::StatusOr<int64_t> CountMissedBefore(Stage& stage, const TableWrite& write) {
  if (!Hindered(stage, write.display)) return 0;
  return Count(stage, write.missing_changed);
}

absl::Status WriteChecked(Stage& stage, const TableWrite& write, Gone gone, int64_t missed,
                          absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(body());
  return Hindered(stage, write.display) ? CheckStaged(stage, write, gone, missed)
                                        : absl::OkStatus();
}

absl::Status CheckComputed(Stage& stage, MappingIndex mapping, Gone gone) {
  const MappingPlan& plan = stage.plan().mappings[mapping];
  if (!Hindered(stage, plan.display)) return absl::OkStatus();
  RETURN_IF_ERROR(stage.PreferHashJoins());
  const mapping::PatchPlan& patch = plan.keyed.patch;
  ASSIGN_OR_RETURN(
      const pg::Result row,
      stage.session().Query(patch.on ? patch.written_count : plan.keyed.written_count));
  ASSIGN_OR_RETURN(const int64_t rows,
                   Count(stage, "SELECT count(*) FROM " + Temp(plan.keyed.new_table)));
  RETURN_IF_ERROR(stage.PreferIndexes());
  const int64_t left = gone == Gone::kNow ? row.i64(0, 1) : 0;
  return Judge(stage, plan.display, row.i64(0, 0) + left, rows + left);
}

absl::Status CheckLoaded(Stage& stage, const TableWrite& write, const std::string& load) {
  if (!Hindered(stage, write.display)) return absl::OkStatus();
  RETURN_IF_ERROR(MakeTakenTable(stage, write));
  RETURN_IF_ERROR(stage.PreferHashJoins());
  RETURN_IF_ERROR(CheckLoadedRows(stage, write, load));
  return stage.PreferIndexes();
}

absl::Status CheckSwapped(Stage& stage, const TableWrite& write, const std::string& load,
                          Gone gone) {
  if (!Hindered(stage, write.display)) return absl::OkStatus();
  RETURN_IF_ERROR(CheckLoaded(stage, write, load));
  if (gone == Gone::kLate) return absl::OkStatus();
  RETURN_IF_ERROR(stage.PreferHashJoins());
  ASSIGN_OR_RETURN(const int64_t left,
                   Count(stage, ReplaceInSql(write.swapped_left, "{load}", load)));
  RETURN_IF_ERROR(stage.PreferIndexes());
  return Judge(stage, write.display, left, left);
}

absl::Status CheckCleared(Stage& stage, const TableWrite& write) {
  if (!Hindered(stage, write.display)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t left, Count(stage, write.cleared_left));
  return Judge(stage, write.display, left, left);
}

absl::Status CheckLeft(Stage& stage, MappingIndex mapping) {
  const MappingPlan& plan = stage.plan().mappings[mapping];
  if (!Hindered(stage, plan.display)) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const int64_t left,
      Count(stage, absl::StrCat("SELECT count(*) FROM ", Temp(plan.ordered.leaving_table),
                                " AS sy_l JOIN ", plan.target, " AS sy_t ON ",
                                mapping::KeyEqual(plan.key, plan.operators, "sy_l", "sy_t"))));
  return Judge(stage, plan.display, left, left);
}

absl::Status CheckHindrances(Stage& stage, const std::set<std::string>& tables) {
  ASSIGN_OR_RETURN(const bool same, stage.hindrances().StillSo(stage.session(), tables));
  if (same) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("columns, triggers or rules of a table of NEW that was written were changed (",
                   absl::StrJoin(tables, ", "), "); what was written is looked at again"));
}

}  // namespace switchyard::replayer
