#include "replayer/write/patch_writer.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;

namespace {

// As `conflict` gives it: what was to be done, whether a row is there, which of its columns differ.
std::string ConflictText(const pg::Result& row) {
  const std::string op = row.str(0, 0);
  const bool there = row.boolean(0, 1);
  if (!there) return "the row that is to be changed is not there";
  if (row.text(0, 2).empty()) return "the row that is there is not this mapping's (owns)";
  const char* what = op == "I"   ? "a row is there already where one is to be inserted, with other"
                     : op == "D" ? "the row that is to go was changed by somebody else:"
                                 : "the row was changed by somebody else:";
  return absl::StrCat(what, " ", row.str(0, 2));
}

absl::Status CheckConflicts(Stage& stage, const MappingPlan& plan) {
  ASSIGN_OR_RETURN(const pg::Result row, stage.session().QueryPrepared(plan.keyed.patch.conflict));
  if (row.rows() == 0) return absl::OkStatus();
  return RefusedScope(kConflict, plan, ConflictText(row).c_str());
}

absl::Status WriteDifferences(Stage& stage, const MappingPlan& plan, Manner manner) {
  const mapping::PatchPlan& patch = plan.keyed.patch;
  if (manner == Manner::kTakenOut || plan.keyed.take_out_only) {
    for (size_t i = 0; i < patch.take_out.size(); ++i) {
      // After the first, which takes rows out of the target, no join has an index.
      if (i == 1) RETURN_IF_ERROR(stage.PreferHashJoins());
      RETURN_IF_ERROR(stage.Run(patch.take_out[i]));
    }
    return stage.PreferIndexes();
  }
  for (const std::string* sql : {&patch.remove, &patch.update, &patch.insert}) {
    RETURN_IF_ERROR(stage.Run(*sql));
  }
  return absl::OkStatus();
}

// Both images into the table of differences.
absl::Status Compare(Stage& stage, BeforeImages& before, MappingIndex mapping) {
  const MappingPlan& plan = stage.plan().mappings[mapping];
  RETURN_IF_ERROR(stage.Compute(mapping));
  RETURN_IF_ERROR(Annotate(before.Fill(mapping), plan.display));
  RETURN_IF_ERROR(stage.PreferHashJoins());
  RETURN_IF_ERROR(Annotate(stage.Run(plan.keyed.patch.compare), plan.display));
  return stage.PreferIndexes();
}

}  // namespace

absl::Status PatchRows(Stage& stage, BeforeImages& before, MappingIndex mapping, Manner manner,
                       absl::FunctionRef<absl::Status(Moment moment)> readers) {
  const MappingPlan& plan = stage.plan().mappings[mapping];
  const mapping::PatchPlan& patch = plan.keyed.patch;
  const bool read = !patch.changed_before.empty();
  const bool hindered = stage.hindrances().any(plan.display);
  RETURN_IF_ERROR(Compare(stage, before, mapping));
  // A trigger's own doing would look like somebody else's afterwards.
  if (hindered) RETURN_IF_ERROR(CheckConflicts(stage, plan));
  if (read) {
    RETURN_IF_ERROR(Annotate(stage.Run(patch.changed_before), plan.display));
    RETURN_IF_ERROR(readers(Moment::kBefore));
  }
  RETURN_IF_ERROR(Annotate(WriteDifferences(stage, plan, manner), plan.display));
  // What the guards of the statements left out. After them: nobody can come between.
  if (hindered) {
    RETURN_IF_ERROR(CheckComputed(stage, mapping, Gone::kNow));
  } else {
    RETURN_IF_ERROR(CheckConflicts(stage, plan));
  }
  RETURN_IF_ERROR(Annotate(before.NoteWritten(mapping), plan.display));
  if (!read) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(stage.Run(patch.changed_after), plan.display));
  return readers(Moment::kAfter);
}

}  // namespace switchyard::replayer
