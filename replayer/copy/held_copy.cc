#include "replayer/copy/held_copy.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::SourcePlan;

namespace {

std::string Name(MappingIndex index) { return absl::StrCat("sy_held_", index.value()); }
std::string HeldTable(const mapping::Plan& plan, MappingIndex index) {
  return QuoteQualified(plan.mirror_schema, Name(index));
}

absl::StatusOr<bool> IsThere(pg::Session& session, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result there,
                   session.Query("SELECT to_regclass($1) IS NOT NULL", {table}));
  return there.boolean(0, 0);
}

const SourcePlan& SourceOf(const mapping::Plan& plan, MappingIndex index) {
  return plan.sources[plan.mappings[index].source];
}

}  // namespace

absl::Status MakeHeldTable(pg::Session& session, const mapping::Plan& plan, MappingIndex index) {
  std::vector<std::string> columns;
  for (const mapping::StageColumn& column : SourceOf(plan, index).columns) {
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type);
  }
  return session.Execute(absl::StrCat("CREATE TABLE IF NOT EXISTS ", HeldTable(plan, index), " (",
                                      absl::StrJoin(columns, ", "), ")"));
}

mapping::TableWrite HeldWrite(const mapping::Plan& plan, MappingIndex index) {
  return mapping::BuildSourceRows(SourceOf(plan, index), HeldTable(plan, index),
                                  "copy of " + SourceOf(plan, index).name, Name(index));
}

absl::StatusOr<std::map<MappingIndex, std::string>> HeldTables(pg::Session& session,
                                                               const mapping::Plan& plan) {
  std::map<MappingIndex, std::string> held;
  for (const MappingIndex m : plan.mapping_indices()) {
    if (!plan.mappings[m].row_local) continue;
    ASSIGN_OR_RETURN(const bool there, IsThere(session, HeldTable(plan, m)));
    if (there) held[m] = HeldTable(plan, m);
  }
  return held;
}

absl::Status IndexHeld(pg::Session& session, const mapping::Plan& plan, MappingIndex index) {
  const SourcePlan& source = SourceOf(plan, index);
  std::vector<std::string> key;
  for (const int column : source.key) key.push_back(source.columns[column].name);
  return session.Execute(absl::StrCat("CREATE INDEX IF NOT EXISTS ",
                                      QuoteIdentifier(Name(index) + "_key"), " ON ",
                                      HeldTable(plan, index), " (", mapping::JoinQuoted(key), ")"));
}

absl::Status ClearHeld(pg::Session& session, const mapping::Plan& plan, MappingIndex index) {
  const std::string held = HeldTable(plan, index);
  ASSIGN_OR_RETURN(const bool there, IsThere(session, held));
  return there ? session.Execute("TRUNCATE " + held) : absl::OkStatus();
}

absl::Status DropHeld(pg::Session& session, const mapping::Plan& plan) {
  for (const MappingIndex m : plan.mapping_indices()) {
    if (!plan.mappings[m].row_local) continue;
    RETURN_IF_ERROR(session.Execute("DROP TABLE IF EXISTS " + HeldTable(plan, m)));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
