#include "common/mapping/compile/compiler.h"

#include <algorithm>
#include <optional>

#include "common/mapping/compile/compilation.h"
#include "common/mapping/compile/restriction.h"

namespace switchyard::mapping {

absl::StatusOr<Plan> Compile(const CompileInput& input, pg::Session& target,
                             std::vector<CompileFault>* faults) {
  LiveProbeSession session(target);
  return Compile(input, session, faults);
}

absl::StatusOr<Plan> Compile(const CompileInput& input, ProbeSession& target,
                             std::vector<CompileFault>* faults) {
  std::vector<CompileFault> own;
  const spec::Direction& written = *input.stream->mapping;
  const std::optional<spec::Direction> installed = WithInstalled(written, input.bound);
  Compilation compilation(input, installed ? *installed : written, target,
                          faults != nullptr ? faults : &own);
  ReadDeclarations(&compilation);
  RETURN_IF_ERROR(AnalyseMappings(&compilation));
  OrderMappings(&compilation);
  if (!compilation.faults.empty()) return compilation.Refused();
  RETURN_IF_ERROR(GatherReads(&compilation));
  CheckLimits(&compilation);
  if (!compilation.faults.empty()) return compilation.Refused();
  RETURN_IF_ERROR(BindSql(&compilation));
  if (!compilation.faults.empty()) return compilation.Refused();
  absl::StatusOr<Plan> plan = BuildPlan(&compilation);
  if (!plan.ok() || !input.check_restrictions) return plan;
  RETURN_IF_ERROR(CheckRestrictions(&compilation, *plan));
  if (!compilation.faults.empty()) return compilation.Refused();
  return plan;
}

}  // namespace switchyard::mapping
