#include "common/mapping/plan.h"

#include <algorithm>

namespace switchyard::mapping {

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

std::string QuarantineTarget(const MappingPlan& mapping) {
  return mapping.owns.empty() ? mapping.display : mapping.display + " where " + mapping.owns;
}

}  // namespace switchyard::mapping
