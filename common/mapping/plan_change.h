// What a changed mapping asks for before NEW is right again: which tables of the source are copied
// again, and which tables of the target are derived anew. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"

namespace switchyard::mapping {

struct PlanChange {
  std::vector<std::string> changed;  // "source public.customers", "mapping public.users"
  std::vector<std::string> added;
  std::vector<std::string> removed;    // their rows stay where they are
  std::vector<SourceIndex> sources;    // new or of another shape
  std::vector<std::string> recopy;     // tables of the source, schema.name
  std::vector<std::string> recompute;  // tables of the target filled by keyed mappings
  std::vector<MappingIndex> new_mappings;
  std::vector<size_t> types;  // made anew: indices into the source's Catalog::types

  bool empty() const { return changed.empty() && added.empty() && removed.empty(); }
};

// From the parts that are installed to those of `plan`.
PlanChange ComparePlans(const std::vector<PlanPart>& installed, const Plan& plan);

// The tables whose types changed in place, by source with the types' names, are copied again too.
void AddRetyped(const Plan& plan, const std::map<SourceIndex, std::vector<std::string>>& retyped,
                PlanChange* change);

// The argument of a request of kind resume.
std::string ResumeWorkToText(const PlanChange& change);
struct ResumeWork {
  std::vector<std::string> recopy;
  std::vector<std::string> recompute;
};
// DataLoss for a text that ResumeWorkToText does not write.
absl::StatusOr<ResumeWork> ResumeWorkFromText(std::string_view text);

}  // namespace switchyard::mapping
