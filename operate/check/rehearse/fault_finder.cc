#include "operate/check/rehearse/fault_finder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/mapping/sql_analysis.h"
#include "common/records/shown_values.h"

namespace switchyard::operate {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::PlanRule;
using mapping::SourcePlan;

namespace {

// Misses of one mapping that are made smaller; later ones are as likely the same.
constexpr int kLookedAtMax = 12;
constexpr char kBetweenArms[] = "\nUNION ALL\n";

std::vector<std::string> ArmsOf(const PlanRule& rule) {
  return absl::StrSplit(rule.touches, kBetweenArms);
}

}  // namespace

absl::Status FaultFinder::Add(const Changes& changes, const std::vector<Miss>& misses) {
  std::set<int> mappings;
  for (const Miss& each : misses) {
    const MappingIndex mapping = each.mapping;
    if (!mappings.insert(mapping.value()).second) continue;
    if (++looked_at_[mapping.value()] > kLookedAtMax) continue;
    Miss miss = each;
    ASSIGN_OR_RETURN(const Changes smallest, Smallest(changes, mapping, &miss));
    ASSIGN_OR_RETURN(const Arm lacking, LackingArm(smallest, miss));
    ASSIGN_OR_RETURN(RehearsalFault fault, Describe(smallest, miss, lacking));
    if (!known_.insert({fault.mapping, fault.table, fault.changed, fault.rule}).second) continue;
    faults_.push_back(std::move(fault));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FaultFinder::StillMisses(const Changes& changes, MappingIndex mapping,
                                              Miss* miss) {
  if (!possible_(changes)) return false;
  ASSIGN_OR_RETURN(const Outcome outcome, ground_.Try(changes, Ground::Then::kUndo));
  for (const Miss& each : outcome.misses) {
    if (each.mapping != mapping) continue;
    *miss = each;
    return true;
  }
  return false;
}

// Without one change after the other, then without one changed column after the other.
absl::StatusOr<Changes> FaultFinder::Smallest(Changes changes, MappingIndex mapping, Miss* miss) {
  for (size_t i = 0; i < changes.size() && changes.size() > 1;) {
    Changes fewer = changes;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
    ASSIGN_OR_RETURN(const bool misses, StillMisses(fewer, mapping, miss));
    if (misses) {
      changes = std::move(fewer);
      i = 0;
    } else {
      ++i;
    }
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!changes[i].before || !changes[i].after) continue;
    for (size_t column = 0; column < changes[i].before->size(); ++column) {
      Changes fewer = changes;
      (*fewer[i].after)[column] = (*fewer[i].before)[column];
      if (fewer[i].after == changes[i].after || fewer[i].after == fewer[i].before) continue;
      ASSIGN_OR_RETURN(const bool misses, StillMisses(fewer, mapping, miss));
      if (misses) changes = std::move(fewer);
    }
  }
  ASSIGN_OR_RETURN(const bool misses, StillMisses(changes, mapping, miss));
  if (!misses) return absl::InternalError("a batch that missed a scope does so no more");
  return changes;
}

absl::Status FaultFinder::LoadArms() {
  if (arms_loaded_) return absl::OkStatus();
  arms_loaded_ = true;
  ASSIGN_OR_RETURN(const mapping::Plan plan, derive_());
  for (const MappingPlan& mapping : plan.mappings) {
    for (const PlanRule& rule : mapping.rules) {
      if (!rule.derived) continue;
      for (std::string& sql : ArmsOf(rule)) {
        arms_[mapping.display].push_back({rule.table, std::move(sql)});
      }
    }
  }
  return absl::OkStatus();
}

// Quoted, in pg_temp; empty for a table that is not rehearsed.
std::string FaultFinder::RowsOf(const std::string& table) const {
  const size_t dot = table.find('.');
  if (dot != std::string::npos) {
    const auto to = ground_.temporary().moved.find({table.substr(0, dot), table.substr(dot + 1)});
    return to == ground_.temporary().moved.end() ? "" : "pg_temp." + QuoteIdentifier(to->second);
  }
  for (const SourcePlan& source : ground_.plan().sources) {
    if (source.alias == table && source.mirrored) return source.mirror.target;
  }
  return "";
}

// Each row of the arm's table, and whether the arm gives the scope for it.
std::string FaultFinder::ArmSql(const Arm& arm, const Miss& miss) const {
  const std::string name = QuoteIdentifier(arm.table.substr(arm.table.rfind('.') + 1));
  const std::string rows = RowsOf(arm.table) + " AS " + name;
  const std::string given =
      mapping::LooksLikeQuery(arm.sql) ? arm.sql : absl::StrCat("SELECT ", arm.sql);
  const auto& columns = ground_.plan().mappings[miss.mapping].keyed.scope_columns;
  std::vector<std::string> names, pairs;
  for (size_t i = 0; i < columns.size(); ++i) {
    names.push_back(absl::StrCat("sy_c", i));
    pairs.push_back(absl::StrCat(QuoteLiteral(columns[i]), ", (sy_q.sy_c", i,
                                 "::", ground_.scope_types(miss.mapping)[i], ")::text"));
  }
  return absl::StrCat("SELECT ROW(", name, ".*)::text, EXISTS (SELECT FROM (", given,
                      "\n) AS sy_q(", absl::StrJoin(names, ", "), ") WHERE jsonb_build_object(",
                      absl::StrJoin(pairs, ", "), ") = ", QuoteLiteral(miss.scope),
                      "::jsonb) FROM ", rows);
}

// The first derived look-up that gives the scope for a row that the batch changes.
absl::StatusOr<FaultFinder::Arm> FaultFinder::LackingArm(const Changes& changes, const Miss& miss) {
  RETURN_IF_ERROR(LoadArms());
  const std::vector<Arm>& arms = arms_[ground_.plan().mappings[miss.mapping].display];
  std::vector<std::map<std::string, bool>> before, after;
  auto* moment = &before;
  const auto look = [&]() -> absl::Status {
    for (const Arm& arm : arms) {
      std::map<std::string, bool>& rows = moment->emplace_back();
      if (RowsOf(arm.table).empty()) continue;
      ASSIGN_OR_RETURN(const std::string sql,
                       mapping::MoveRelations(ArmSql(arm, miss), ground_.temporary().moved));
      ASSIGN_OR_RETURN(const pg::Result result, ground_.session().Query(sql));
      for (int i = 0; i < result.rows(); ++i) rows[result.str(i, 0)] |= result.boolean(i, 1);
    }
    moment = &after;
    return absl::OkStatus();
  };
  const Arm unknown{ground_.plan().sources[changes.front().source].alias, ""};
  const absl::Status looked = ground_.Around(changes, look);
  if (absl::IsInvalidArgument(looked)) return unknown;
  RETURN_IF_ERROR(looked);
  const auto gives = [](const auto& there, const auto& other) {
    return std::ranges::any_of(
        there, [&](const auto& row) { return row.second && !other.contains(row.first); });
  };
  for (size_t i = 0; i < arms.size(); ++i) {
    const PlanRule* rule = RuleOf(miss.mapping, arms[i].table);
    if (rule != nullptr && std::ranges::count(ArmsOf(*rule), arms[i].sql) > 0) continue;
    if (gives(before[i], after[i]) || gives(after[i], before[i])) return arms[i];
  }
  return unknown;
}

const PlanRule* FaultFinder::RuleOf(MappingIndex mapping, const std::string& table) const {
  const std::vector<PlanRule>& rules = ground_.plan().mappings[mapping].rules;
  const auto rule = std::ranges::find(rules, table, &PlanRule::table);
  return rule == rules.end() ? nullptr : &*rule;
}

std::string FaultFinder::Changed(const RowChange& change) const {
  const SourcePlan& source = ground_.plan().sources[change.source];
  if (!change.before || !change.after) return source.alias;
  std::vector<std::string> columns;
  for (size_t c = 0; c < change.before->size(); ++c) {
    if ((*change.before)[c] != (*change.after)[c]) columns.push_back(source.columns[c].name);
  }
  return absl::StrCat(source.alias, ".", absl::StrJoin(columns, ", "));
}

absl::StatusOr<std::string> FaultFinder::Shown(const std::string& table,
                                               const std::string& values) const {
  if (!show_values_) return std::string();
  if (sensitive_.empty()) return values;
  ASSIGN_OR_RETURN(
      const pg::Result shown,
      ground_.session().Query(
          absl::StrCat("SELECT ", records::ShownValuesSql("$1::jsonb", "$2", "$3::text[]")),
          {values, table,
           ArrayLiteral(sensitive_.AllWithMirror(std::string(ground_.plan().mirror_schema)))}));
  return shown.str(0, 0);
}

absl::StatusOr<std::string> FaultFinder::Mutation(const RowChange& change) const {
  const SourcePlan& source = ground_.plan().sources[change.source];
  std::string text;
  if (!change.before) {
    text = absl::StrCat("a row of ", source.alias, " came");
  } else if (!change.after) {
    text = absl::StrCat("a row of ", source.alias, " went");
  } else {
    text = absl::StrCat(Changed(change), " changed in a row");
  }
  if (!show_values_) return text;
  const Key key = KeyOf(source, change.before ? *change.before : *change.after);
  nlohmann::ordered_json names;
  for (size_t i = 0; i < key.size(); ++i) {
    names[source.columns[source.key[i]].name] = key[i].value_or("");
  }
  ASSIGN_OR_RETURN(const std::string shown,
                   Shown(absl::StrCat(ground_.plan().mirror_schema, ".", source.alias),
                         names.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return absl::StrCat(text, " ", shown);
}

absl::StatusOr<RehearsalFault> FaultFinder::Describe(const Changes& changes, const Miss& miss,
                                                     const Arm& lacking) const {
  const MappingPlan& plan = ground_.plan().mappings[miss.mapping];
  ASSIGN_OR_RETURN(const std::string scope, Shown(plan.display, miss.scope));
  RehearsalFault fault{.file = file_.path,
                       .mapping = plan.display,
                       .table = lacking.table,
                       .scope = scope,
                       .stayed = miss.stayed,
                       .rule = lacking.sql};
  std::vector<std::string> changed, mutations;
  for (const RowChange& change : changes) {
    changed.push_back(Changed(change));
    ASSIGN_OR_RETURN(mutations.emplace_back(), Mutation(change));
  }
  fault.changed = absl::StrJoin(changed, " and ");
  fault.mutation = absl::StrJoin(mutations, " and ");
  const PlanRule* rule = RuleOf(miss.mapping, lacking.table);
  fault.derived = rule != nullptr && rule->derived;
  for (const spec::Mapping& mapping : file_.forward.mappings) {
    if (absl::StrCat(mapping.target.schema, ".", mapping.target.name) != plan.display ||
        mapping.owns != plan.owns) {
      continue;
    }
    fault.line = mapping.at.line;
    fault.column = mapping.at.column;
    for (const spec::FromRule& from : mapping.from) {
      if (from.table.ToString() != lacking.table) continue;
      fault.line = from.at.line;
      fault.column = from.at.column;
    }
  }
  return fault;
}

}  // namespace switchyard::operate
