#include "operate/check/rehearse/constraints.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "operate/check/rehearse/arms.h"

namespace switchyard::operate {

using mapping::SourceIndex;
using mapping::SourcePlan;
using mapping::StageColumn;

namespace {

SourceIndex SourceOf(const mapping::Plan& plan, std::string_view relation_id) {
  for (const SourceIndex s : plan.source_indices()) {
    if (std::to_string(plan.sources[s].relation_id) == relation_id) return s;
  }
  return {};
}

// Names in a line each; nothing where one is no column of the plan.
std::optional<std::vector<int>> PlacesOf(const SourcePlan& source, const std::string& names) {
  std::vector<int> places;
  const std::vector<std::string> each = absl::StrSplit(names, '\n', absl::SkipEmpty());
  for (const std::string& name : each) {
    const auto at = std::ranges::find(source.columns, name, &StageColumn::name);
    if (at == source.columns.end()) return std::nullopt;
    places.push_back(static_cast<int>(at - source.columns.begin()));
  }
  return places;
}

std::vector<std::vector<int>> UniqueOf(const SourcePlan& source, const catalog::Catalog& catalog) {
  std::vector<std::vector<int>> unique;
  const catalog::Table* table = catalog.FindOid(source.relation_id);
  if (table == nullptr) return unique;
  for (const catalog::UniqueIndex& index : table->unique_indexes) {
    std::vector<int> columns;
    for (const std::string& name : index.columns) {
      const auto at = std::ranges::find(source.columns, name, &StageColumn::name);
      if (at != source.columns.end()) {
        columns.push_back(static_cast<int>(at - source.columns.begin()));
      }
    }
    if (!index.partial && columns.size() == index.columns.size()) unique.push_back(columns);
  }
  return unique;
}

bool MayRelyOn(const mapping::Plan& plan, SourceIndex one, SourceIndex other) {
  return std::ranges::any_of(plan.mappings, [&](const mapping::MappingPlan& mapping) {
    const bool declared = std::ranges::any_of(
        mapping.rules, [](const mapping::PlanRule& rule) { return !rule.derived; });
    std::set<SourceIndex> reads;
    if (declared) AddReads(plan, mapping, &reads);
    return reads.contains(one) && reads.contains(other);
  });
}

// The names of a constraint's columns, in its order.
constexpr char kConstraints[] = R"(
  SELECT c.contype, c.conrelid, c.confrelid, pg_get_expr(c.conbin, c.conrelid),
         (SELECT string_agg(a.attname, E'\n' ORDER BY k.n)
          FROM unnest(c.conkey) WITH ORDINALITY AS k(number, n)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number),
         (SELECT string_agg(a.attname, E'\n' ORDER BY k.n)
          FROM unnest(c.confkey) WITH ORDINALITY AS k(number, n)
          JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number)
  FROM pg_constraint c
  WHERE c.conrelid = ANY ($1::oid[]) AND c.contype IN ('c', 'f') ORDER BY c.oid)";

}  // namespace

absl::StatusOr<Constraints> LoadConstraints(const mapping::Plan& plan,
                                            const catalog::Catalog& source,
                                            pg::Session& old_session) {
  Constraints out;
  std::vector<std::string> oids;
  for (const SourcePlan& each : plan.sources) {
    out.unique.push_back(UniqueOf(each, source));
    oids.push_back(std::to_string(each.relation_id));
  }
  ASSIGN_OR_RETURN(const pg::Result rows, old_session.Query(kConstraints, {ArrayLiteral(oids)}));
  for (int i = 0; i < rows.rows(); ++i) {
    const SourceIndex s = SourceOf(plan, rows.text(i, 1));
    if (!s.valid()) continue;
    const auto columns = PlacesOf(plan.sources[s], rows.str(i, 4));
    if (!columns || columns->empty()) continue;
    if (rows.text(i, 0) == "c") {
      out.checks.push_back({.source = s, .columns = *columns, .sql = rows.str(i, 3)});
      continue;
    }
    const SourceIndex parent = SourceOf(plan, rows.text(i, 2));
    if (!parent.valid() || !MayRelyOn(plan, s, parent)) continue;
    const auto parent_columns = PlacesOf(plan.sources[parent], rows.str(i, 5));
    if (!parent_columns) continue;
    out.foreign_keys.push_back(
        {.source = s, .parent = parent, .columns = *columns, .parent_columns = *parent_columns});
  }
  return out;
}

}  // namespace switchyard::operate
