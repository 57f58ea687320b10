#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/fingerprint.h"

namespace switchyard::mapping {
namespace {

using std::string;

// The table a name stands for, so that an alias that moves to another table shows.
string Meant(const Compilation& compilation, const spec::TableName& name) {
  const catalog::Table* table = name.schema.empty() ? compilation.ResolveSource(name) : nullptr;
  return table == nullptr ? name.ToString() : name.ToString() + "=" + table->Display();
}

PlanPart SourcePart(const Compilation& compilation, const Source& source, const SourcePlan& plan) {
  Fingerprint fingerprint;
  // A table dropped and made again under its name is another table.
  fingerprint.Add(std::to_string(plan.relation_id)).Add(plan.alias).AddAll(source.key);
  for (const StageColumn& used : plan.columns) {
    const catalog::Column* column = source.table->FindColumn(used.name);
    fingerprint.Add(column->name).Add(column->type).Add(column->collation);
    // Dropped and made again it is another column, and so are two that swapped their names.
    fingerprint.Add(std::to_string(used.number));
  }
  fingerprint.Add(source.mirrored ? "mirrored" : "").AddAll(plan.mirror_columns);
  // Another rule wants pairs for rows that are there already: the table is copied again.
  for (const spec::IdMapRule& rule : compilation.written.id_maps) {
    if (compilation.ResolveSource(rule.table) != source.table) continue;
    fingerprint.Add("ids").Add(rule.kind).Add(rule.old_id).Add(rule.new_id);
    fingerprint.Add(rule.many ? "many" : "");
  }
  return {.kind = PlanPart::Kind::kSource,
          .name = source.table->Display(),
          .fingerprint = fingerprint.Hex()};
}

PlanPart MappingPart(const Compilation& compilation, const Draft& draft) {
  const spec::Mapping& mapping = compilation.Written(*draft.spec);
  Fingerprint fingerprint;
  fingerprint.AddAll(draft.columns).AddAll(draft.key).AddAll(draft.scope);
  fingerprint.Add(draft.row_local ? "row" : "keyed").Add(mapping.owns);
  fingerprint.Add(mapping.copy ? Meant(compilation, *mapping.copy) : "").Add(mapping.select);
  fingerprint.Add(mapping.where);
  if (mapping.mode == spec::MappingMode::kPatch) {
    fingerprint.Add("patch").Add(mapping.vanished == spec::Vanished::kLeave ? "leave" : "delete");
    fingerprint.AddAll(mapping.lossy);
  }
  for (const auto& [column, sql] : mapping.set) fingerprint.Add("set").Add(column).Add(sql);
  for (const auto& [from, to] : mapping.rename) fingerprint.Add("rename").Add(from).Add(to);
  for (const spec::FromRule& rule : mapping.from) {
    fingerprint.Add("from").Add(Meant(compilation, rule.table)).Add(rule.touches);
  }
  for (const spec::TableName& table : mapping.static_tables) {
    fingerprint.Add("static").Add(Meant(compilation, table));
  }
  return {.kind = PlanPart::Kind::kMapping,
          .name = draft.target->Display(),
          .fingerprint = fingerprint.Hex()};
}

}  // namespace

std::vector<PlanPart> PartsOf(const Compilation& compilation, const Plan& plan) {
  std::vector<PlanPart> parts;
  for (size_t i = 0; i < compilation.sources.size(); ++i) {
    parts.push_back(SourcePart(compilation, compilation.sources[i], plan.sources[i]));
  }
  for (const Draft& draft : compilation.drafts) parts.push_back(MappingPart(compilation, draft));
  return parts;
}

}  // namespace switchyard::mapping
