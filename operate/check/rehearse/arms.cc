#include "operate/check/rehearse/arms.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_split.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::operate {

namespace derive = mapping::derive;
using derive::Json;
using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::PlanRule;
using mapping::SourceIndex;
using mapping::TouchRule;

namespace {

constexpr char kBetweenArms[] = "\nUNION ALL\n";  // of derived rules
constexpr char kSelect[] = "SELECT DISTINCT ";    // begins what a statement adds to touched scopes

// The arms of a UNION ALL, from left to right.
void AddArms(const Json& select, std::vector<Json>* arms) {
  const bool plain = !select.contains("withClause") && !select.contains("sortClause") &&
                     !select.contains("limitCount") && !select.contains("limitOffset");
  if (!plain || derive::Text(select, "op") != "SETOP_UNION" || !select.value("all", false)) {
    arms->push_back(select);
    return;
  }
  AddArms(select.at("larg"), arms);
  AddArms(select.at("rarg"), arms);
}

Json UnionOf(std::vector<Json> arms) {
  Json all = std::move(arms.front());
  for (size_t i = 1; i < arms.size(); ++i) {
    all = Json{{"limitOption", "LIMIT_OPTION_DEFAULT"},
               {"op", "SETOP_UNION"},
               {"all", true},
               {"larg", std::move(all)},
               {"rarg", std::move(arms[i])}};
  }
  return all;
}

// The rule's query is the one lateral sub-query by that name (common/mapping/sql/keyed_sql.cc).
bool IsRule(const Json& node) {
  if (!derive::Is(node, "RangeSubselect")) return false;
  const auto alias = derive::Body(node).find("alias");
  return alias != derive::Body(node).end() && derive::Text(*alias, "aliasname") == "sy_q";
}

// A statement of a TouchRule, without each of the rule's arms in turn; empty where it has but one.
absl::StatusOr<std::vector<std::string>> WithoutEach(const std::string& statement) {
  std::vector<std::string> without;
  const size_t at = statement.find(kSelect);
  if (at == std::string::npos) return without;
  ASSIGN_OR_RETURN(const Json select, derive::ParseSelect(statement.substr(at)));
  std::vector<Json> arms;
  derive::Visit(select, [&](const Json& node) {
    if (!IsRule(node)) return true;
    AddArms(derive::Body(derive::Body(node).at("subquery")), &arms);
    return false;
  });
  for (size_t i = 0; i < arms.size() && arms.size() > 1; ++i) {
    std::vector<Json> left = arms;
    left.erase(left.begin() + static_cast<ptrdiff_t>(i));
    const Json query = UnionOf(std::move(left));
    const Json changed = derive::Rewrite(select, [&](const Json& node) -> std::optional<Json> {
      if (!IsRule(node)) return std::nullopt;
      Json rule = node;
      rule["RangeSubselect"]["subquery"]["SelectStmt"] = query;
      return rule;
    });
    ASSIGN_OR_RETURN(const std::string text, derive::Deparse(changed));
    without.push_back(statement.substr(0, at) + text);
  }
  return without;
}

// As it stands under `from`, in `count` parts.
std::vector<std::string> TextsOf(const PlanRule& rule, size_t count) {
  std::vector<std::string> texts = absl::StrSplit(rule.touches, kBetweenArms);
  if (texts.size() == count) return texts;
  texts.clear();
  const absl::StatusOr<Json> select = derive::ParseSelect(rule.touches);
  std::vector<Json> arms;
  if (select.ok()) AddArms(*select, &arms);
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<std::string> text = i < arms.size() && arms.size() == count
                                           ? derive::Deparse(arms[i])
                                           : absl::StatusOr<std::string>(rule.touches);
    texts.push_back(text.ok() ? *std::move(text) : rule.touches);
  }
  return texts;
}

bool IsOf(const mapping::Plan& plan, const TouchRule& touch, const PlanRule& rule) {
  return touch.source.valid() ? plan.sources[touch.source].alias == rule.table
                              : plan.mappings[touch.upstream].display == rule.table;
}

// The mapping's rules without one of them: an arm of it, or all.
class Without {
 public:
  Without(const mapping::Plan& plan, MappingIndex mapping, const PlanRule& rule)
      : plan_(plan), mapping_(mapping), rule_(rule) {}

  absl::Status AddTo(std::vector<RuleArm>* all) {
    const std::vector<TouchRule>& touches = plan_.mappings[mapping_].keyed.touches;
    std::vector<std::vector<TouchRule>> variants;  // by arm
    for (const TouchRule& touch : touches) {
      if (!IsOf(plan_, touch, rule_)) continue;
      ASSIGN_OR_RETURN(const auto before, WithoutEach(touch.before));
      ASSIGN_OR_RETURN(const auto after, WithoutEach(touch.after));
      variants.resize(std::max<size_t>({variants.size(), before.size(), 1}));
      for (size_t i = 0; i < before.size() && i < after.size(); ++i) {
        TouchRule fewer = touch;
        fewer.before = before[i];
        fewer.after = after[i];
        variants[i].push_back(std::move(fewer));
      }
    }
    const std::vector<std::string> texts = TextsOf(rule_, variants.size());
    for (size_t i = 0; i < variants.size(); ++i) {
      RuleArm arm{.mapping = mapping_,
                  .table = rule_.table,
                  .sql = texts[i],
                  .declared = !rule_.derived,
                  .touches_without = std::move(variants[i])};
      for (const TouchRule& touch : touches) {
        if (IsOf(plan_, touch, rule_)) {
          AddSources(touch, &arm);
        } else {
          arm.touches_without.push_back(touch);
        }
      }
      all->push_back(std::move(arm));
    }
    return absl::OkStatus();
  }

 private:
  void AddSources(const TouchRule& touch, RuleArm* arm) const {
    if (touch.source.valid()) {
      arm->sources.insert(touch.source);
    } else {
      arm->upstream.insert(touch.upstream);
      AddReads(plan_, plan_.mappings[touch.upstream], &arm->sources);
    }
  }

  const mapping::Plan& plan_;
  const MappingIndex mapping_;
  const PlanRule& rule_;
};

}  // namespace

void AddReads(const mapping::Plan& plan, const MappingPlan& mapping, std::set<SourceIndex>* reads) {
  if (mapping.row_local) reads->insert(mapping.source);
  for (const TouchRule& rule : mapping.keyed.touches) {
    if (rule.source.valid()) reads->insert(rule.source);
    if (rule.upstream.valid()) AddReads(plan, plan.mappings[rule.upstream], reads);
  }
}

absl::StatusOr<std::vector<RuleArm>> ArmsOf(const mapping::Plan& plan) {
  std::vector<RuleArm> all;
  for (const MappingIndex m : plan.mapping_indices()) {
    for (const PlanRule& rule : plan.mappings[m].rules) {
      RETURN_IF_ERROR(Without(plan, m, rule).AddTo(&all));
    }
  }
  return all;
}

}  // namespace switchyard::operate
