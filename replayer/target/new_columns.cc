#include "replayer/target/new_columns.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "proto/event.pb.h"

namespace switchyard::replayer {
namespace {

using mapping::MappingPlan;
using mapping::SourceIndex;
using mapping::SourcePlan;

bool Known(const SourcePlan& source, const std::string& column) {
  return std::ranges::count(source.columns, column, &mapping::StageColumn::name) > 0 ||
         std::ranges::count(source.other_columns, column) > 0;
}

bool Reads(const MappingPlan& mapping, SourceIndex source) {
  return mapping.source == source ||
         std::ranges::count(mapping.keyed.touches, source, &mapping::TouchRule::source) > 0;
}

absl::StatusOr<bool> TargetHas(pg::Session& session, const MappingPlan& mapping,
                               const std::string& column) {
  ASSIGN_OR_RETURN(
      const pg::Result found,
      session.Query("SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND "
                    "attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                    {mapping.target, column}));
  return found.rows() > 0;
}

}  // namespace

absl::Status CheckNewColumns(pg::Session& session, const mapping::Plan& plan,
                             const std::string& definition) {
  event::v1::Relation relation;
  if (!relation.ParseFromString(definition))
    return Lost("what NEW keeps of a table's shape is no Relation event", kCopyAllAnew);
  const SourcePlan* source = plan.FindRelation(relation.relation_id(), relation.root_relation_id());
  if (source == nullptr) return absl::OkStatus();
  const SourceIndex index = plan.IndexOf(*source);
  for (const event::v1::Column& column : relation.columns()) {
    if (Known(*source, column.name())) continue;
    for (const MappingPlan& mapping : plan.mappings) {
      if (!mapping.by_name || !Reads(mapping, index)) continue;
      if (std::ranges::count(mapping.columns, column.name()) > 0) continue;
      ASSIGN_OR_RETURN(const bool both, TargetHas(session, mapping, column.name()));
      if (!both) continue;
      return Refuse(
          absl::StrFormat("column %s of %s.%s is new on the source, and %s has one of that name, "
                          "which the mapping does not fill yet",
                          column.name(), source->schema, source->name, mapping.display),
          "run: switchyard resume FILE, which carries it over for all rows");
    }
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
