#include "common/mapping/compile/compiler.h"

#include <algorithm>

#include "common/mapping/compile/compilation.h"
#include "common/mapping/compile/restriction.h"

namespace switchyard::mapping {

absl::StatusOr<Plan> Compile(const CompileInput& input, pg::Session& target,
                             std::vector<CompileFault>* faults) {
  std::vector<CompileFault> own;
  Compilation compilation(input, target, faults != nullptr ? faults : &own);
  ReadDeclarations(&compilation);
  RETURN_IF_ERROR(AnalyseMappings(&compilation));
  OrderMappings(&compilation);
  if (!compilation.faults.empty()) return compilation.Refused();
  RETURN_IF_ERROR(GatherReads(&compilation));
  CheckLimits(&compilation);
  if (!compilation.faults.empty()) return compilation.Refused();
  absl::StatusOr<Plan> plan = BuildPlan(&compilation);
  if (!plan.ok() || !input.check_restrictions) return plan;
  RETURN_IF_ERROR(CheckRestrictions(&compilation, *plan));
  if (!compilation.faults.empty()) return compilation.Refused();
  return plan;
}

const SourcePlan* Plan::FindRelation(uint32_t relation_id) const {
  for (const SourcePlan& source : sources) {
    if (std::ranges::count(source.relation_ids, relation_id) > 0) return &source;
  }
  return nullptr;
}

const SourcePlan* Plan::FindRelation(uint32_t relation_id, uint32_t root_id) const {
  if (const SourcePlan* source = FindRelation(relation_id); source != nullptr) return source;
  for (const SourcePlan& source : sources) {
    if (root_id != 0 && source.relation_id == root_id) return &source;
  }
  return nullptr;
}

}  // namespace switchyard::mapping
