#include "common/mapping/plan_change.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_join.h"
#include "common/base/finding.h"

namespace switchyard::mapping {
namespace {

std::string Label(const PlanPart& part) {
  return (part.kind == PlanPart::Kind::kSource ? "source " : "mapping ") + part.name;
}

bool HasName(const std::vector<PlanPart>& parts, const PlanPart& wanted) {
  return std::ranges::any_of(parts, [&](const PlanPart& part) {
    return part.kind == wanted.kind && part.name == wanted.name;
  });
}

}  // namespace

PlanChange ComparePlans(const std::vector<PlanPart>& installed, const Plan& plan) {
  PlanChange change;
  std::set<SourceIndex> sources;
  std::set<std::string> recopy;
  std::set<std::string> recompute;
  const auto display = [&](SourceIndex source) {
    return plan.sources[source].schema + "." + plan.sources[source].name;
  };
  for (size_t i = 0; i < plan.parts.size(); ++i) {
    const PlanPart& part = plan.parts[i];
    if (std::ranges::count(installed, part) > 0) continue;
    const bool known = HasName(installed, part);
    (known ? change.changed : change.added).push_back(Label(part));
    if (part.kind == PlanPart::Kind::kSource) {
      sources.insert(SourceIndex(i));
      recopy.insert(display(SourceIndex(i)));
      continue;
    }
    const MappingIndex m(i - plan.sources.size());
    if (!known) change.new_mappings.push_back(m);
    if (plan.mappings[m].row_local) {
      recopy.insert(display(plan.mappings[m].source));
    } else {
      recompute.insert(plan.mappings[m].display);
    }
  }
  // A mirror that begins empty misses deletions until it is whole again.
  for (const MappingPlan& mapping : plan.mappings) {
    for (const TouchRule& rule : mapping.keyed.touches) {
      if (rule.source.valid() && sources.contains(rule.source)) recompute.insert(mapping.display);
    }
  }
  for (const PlanPart& part : installed) {
    if (!HasName(plan.parts, part)) change.removed.push_back(Label(part));
  }
  change.sources.assign(sources.begin(), sources.end());
  change.recopy.assign(recopy.begin(), recopy.end());
  change.recompute.assign(recompute.begin(), recompute.end());
  return change;
}

void AddRetyped(const Plan& plan, const std::map<SourceIndex, std::vector<std::string>>& retyped,
                PlanChange* change) {
  const auto add = [](const auto& value, auto* to) {
    if (std::ranges::count(*to, value) == 0) to->push_back(value);
  };
  for (const auto& [source, types] : retyped) {
    const std::string table = plan.sources[source].schema + "." + plan.sources[source].name;
    change->changed.push_back("source " + table + " (type " + absl::StrJoin(types, ", ") + ")");
    add(source, &change->sources);
    add(table, &change->recopy);
    for (const MappingPlan& mapping : plan.mappings) {
      const bool reads = std::ranges::count(mapping.keyed.touches, source, &TouchRule::source) > 0;
      if (reads) add(mapping.display, &change->recompute);
    }
  }
}

std::string ResumeWorkToText(const PlanChange& change) {
  return nlohmann::json{{"recopy", change.recopy}, {"recompute", change.recompute}}.dump();
}

absl::StatusOr<ResumeWork> ResumeWorkFromText(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  ResumeWork work;
  const auto read = [&](const char* key, std::vector<std::string>* out) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_array()) return false;
    for (const nlohmann::json& name : json[key]) {
      if (!name.is_string()) return false;
      out->push_back(name.get<std::string>());
    }
    return true;
  };
  if (read("recopy", &work.recopy) && read("recompute", &work.recompute)) return work;
  return Lost("an open request holds a resume that can't be read",
              "ask for it again: switchyard resume FILE");
}

}  // namespace switchyard::mapping
