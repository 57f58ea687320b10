#include "common/mapping/compiler.h"

#include <algorithm>

#include "common/mapping/compilation.h"

namespace switchyard::mapping {

absl::StatusOr<Plan> Compile(const CompileInput& input, pg::Session& target,
                             std::vector<CompileFault>* faults) {
  std::vector<CompileFault> own;
  Compilation compilation(input, target, faults != nullptr ? faults : &own);
  ReadDeclarations(&compilation);
  if (!compilation.faults.empty()) return compilation.Refused();
  RETURN_IF_ERROR(compilation.probe.Begin(input.source->types));
  for (const Source& source : compilation.sources) {
    RETURN_IF_ERROR(compilation.probe.AddTable(source.alias, *source.table));
  }
  RETURN_IF_ERROR(AnalyseMappings(&compilation));
  if (!compilation.faults.empty()) return compilation.Refused();
  RETURN_IF_ERROR(OrderMappings(&compilation));
  RETURN_IF_ERROR(GatherReads(&compilation));
  if (!compilation.faults.empty()) return compilation.Refused();
  return BuildPlan(&compilation);
}

const SourcePlan* Plan::FindRelation(uint32_t relation_id) const {
  for (const SourcePlan& source : sources) {
    if (std::ranges::count(source.relation_ids, relation_id) > 0) return &source;
  }
  return nullptr;
}

}  // namespace switchyard::mapping
