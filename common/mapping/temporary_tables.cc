#include "common/mapping/temporary_tables.h"

namespace switchyard::mapping {

std::vector<std::string> TemporaryTables(const Plan& plan) {
  std::vector<std::string> ddl;
  for (const SourcePlan& source : plan.sources) {
    ddl.push_back(source.stage_ddl);
    if (source.mirrored) ddl.push_back(source.mirror.taken_table_ddl);
  }
  for (const MappingPlan& mapping : plan.mappings) {
    if (mapping.row_local) ddl.push_back(mapping.write.taken_table_ddl);
    ddl.insert(ddl.end(), mapping.keyed.temp_ddl.begin(), mapping.keyed.temp_ddl.end());
  }
  return ddl;
}

}  // namespace switchyard::mapping
