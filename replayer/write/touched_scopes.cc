#include "replayer/write/touched_scopes.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::SourceIndex;

namespace {

// Scopes have the types of NEW's columns: a value that one can't hold is no scope, and no row that
// could be put aside.
absl::Status AsUnfitScope(const absl::Status& touched, const mapping::MappingPlan& plan) {
  if (!IsRefusedRow(touched)) return Annotate(touched, plan.display);
  const std::string scope = absl::StrJoin(plan.keyed.scope_columns, ", ");
  return Refuse(
      absl::StrFormat("%s: a row touches a scope (%s) that NEW's column can't hold: %s",
                      plan.display, scope, RefusalText(touched)),
      absl::StrFormat("give %s in NEW a type that holds what the select gives (ALTER TABLE ... "
                      "ALTER COLUMN ... TYPE), and start replay again; or have the select leave "
                      "such rows out and the rules under from give NULL for them, run: switchyard "
                      "resume FILE, and start it again",
                      scope));
}

}  // namespace

absl::Status TouchedScopes::ByBatch(const changes::Batch& batch, Moment moment) {
  if (moment == Moment::kBefore && !paused_) {
    for (const changes::TableChanges& table : batch.tables) {
      RETURN_IF_ERROR(stage_.NoteStill(table));
    }
  }
  for (const MappingIndex m : stage_.plan().mapping_indices()) {
    RETURN_IF_ERROR(ByBatchOf(batch, m, moment));
  }
  return absl::OkStatus();
}

absl::Status TouchedScopes::ByBatchOf(const changes::Batch& batch, MappingIndex mapping,
                                      Moment moment) {
  if (paused_) return absl::OkStatus();
  for (const mapping::TouchRule& rule : stage_.plan().mappings[mapping].keyed.touches) {
    for (const changes::TableChanges& table : batch.tables) {
      if (rule.source != table.source) continue;
      const Breadth breadth = table.truncated ? Breadth::kAll : Breadth::kChanged;
      RETURN_IF_ERROR(AsUnfitScope(writer_.Touch(mapping, rule, moment, breadth),
                                   stage_.plan().mappings[mapping]));
      mappings_.insert(mapping);
    }
  }
  return absl::OkStatus();
}

absl::Status TouchedScopes::ByUpstream(MappingIndex upstream, Moment moment, Breadth breadth) {
  if (paused_) return absl::OkStatus();
  for (const MappingIndex m : stage_.plan().mapping_indices()) {
    for (const mapping::TouchRule& rule : stage_.plan().mappings[m].keyed.touches) {
      if (rule.upstream != upstream) continue;
      RETURN_IF_ERROR(
          Annotate(writer_.Touch(m, rule, moment, breadth), stage_.plan().mappings[m].display));
      mappings_.insert(m);
    }
  }
  return absl::OkStatus();
}

absl::Status TouchedScopes::Whole(MappingIndex mapping) {
  const mapping::MappingPlan& plan = stage_.plan().mappings[mapping];
  // What a patched table has and the select never gave concerns nobody.
  if (!plan.keyed.patch.on) RETURN_IF_ERROR(Annotate(writer_.TouchOwn(mapping), plan.display));
  for (const mapping::TouchRule& rule : plan.keyed.touches) {
    RETURN_IF_ERROR(
        AsUnfitScope(writer_.Touch(mapping, rule, Moment::kBefore, Breadth::kAll), plan));
  }
  mappings_.insert(mapping);
  return absl::OkStatus();
}

absl::Status TouchedScopes::WholeOfReaders(SourceIndex source) {
  for (const MappingIndex m : stage_.plan().mapping_indices()) {
    const bool reads = std::ranges::any_of(
        stage_.plan().mappings[m].keyed.touches, [&](const mapping::TouchRule& rule) {
          return rule.source == source ||
                 (rule.upstream.valid() && stage_.plan().mappings[rule.upstream].source == source);
        });
    if (reads) RETURN_IF_ERROR(Whole(m));
  }
  return absl::OkStatus();
}

absl::Status TouchedScopes::WholeOf(const std::vector<std::string>& tables) {
  for (const MappingIndex m : stage_.plan().mapping_indices()) {
    const mapping::MappingPlan& plan = stage_.plan().mappings[m];
    if (plan.row_local || std::ranges::count(tables, plan.display) == 0) continue;
    RETURN_IF_ERROR(Whole(m));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
