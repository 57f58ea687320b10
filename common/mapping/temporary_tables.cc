#include "common/mapping/temporary_tables.h"

namespace switchyard::mapping {

namespace {

void Add(const TemporaryTables& more, TemporaryTables* tables) {
  tables->ddl.insert(tables->ddl.end(), more.ddl.begin(), more.ddl.end());
  tables->names.insert(tables->names.end(), more.names.begin(), more.names.end());
}

}  // namespace

TemporaryTables TemporaryTablesOf(const SourcePlan& source) {
  TemporaryTables tables{.ddl = {source.stage_ddl},
                         .names = {source.stage, source.saved_stage, source.entry_stage}};
  if (!source.mirrored) return tables;
  Add({.ddl = {source.mirror.taken_table_ddl}, .names = {source.mirror.taken_table}}, &tables);
  return tables;
}

TemporaryTables TemporaryTablesOf(const MappingPlan& mapping) {
  if (!mapping.row_local)
    return {.ddl = mapping.keyed.temp_ddl, .names = mapping.keyed.temp_tables};
  return {.ddl = {mapping.write.taken_table_ddl},
          .names = {mapping.write.taken_table, mapping.together_stage}};
}

TemporaryTables TemporaryTablesOf(const Plan& plan) {
  TemporaryTables tables;
  for (const SourcePlan& source : plan.sources) Add(TemporaryTablesOf(source), &tables);
  for (const MappingPlan& mapping : plan.mappings) Add(TemporaryTablesOf(mapping), &tables);
  return tables;
}

}  // namespace switchyard::mapping
