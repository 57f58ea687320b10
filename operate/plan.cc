#include "operate/plan.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/plan_sql.h"
#include "common/records/stream/stream.h"
#include "common/spec/values.h"
#include "operate/connect.h"

namespace switchyard::operate {
namespace {

PlannedTable DescribeTable(const mapping::MappingPlan& mapping) {
  std::vector<PlannedRule> rules;
  for (const mapping::PlanRule& rule : mapping.rules) {
    rules.push_back({.table = rule.table, .touches = rule.touches, .derived = rule.derived});
  }
  return {.table = mapping.display,
          .row_local = mapping.row_local,
          .reads = mapping.reads_sources,
          .why_keyed = mapping.row_local ? "" : mapping.why_keyed,
          .scope = mapping.row_local ? std::vector<std::string>() : mapping.keyed.scope_columns,
          .columns = mapping.columns,
          .owns = mapping.owns,
          .rules = std::move(rules),
          .patch = mapping.keyed.patch.on,
          .vanish = !mapping.keyed.patch.on               ? ""
                    : mapping.keyed.patch.leaves_vanished ? "leave"
                                                          : "delete",
          .lossy = mapping.keyed.patch.lossy};
}

// Tables of the schemas that names are looked for in, which nobody reads and nobody left out.
absl::StatusOr<std::vector<std::string>> UnreadTables(const spec::MigrationFile& file,
                                                      const catalog::Catalog& source,
                                                      pg::Session& old_session) {
  std::set<std::pair<std::string, std::string>> known;
  for (const catalog::Table& table : source.tables) known.emplace(table.schema, table.name);
  for (const std::string& ignored : file.forward.ignore) {
    const std::optional<spec::TableName> name = spec::ParseTableName(ignored);
    if (!name.has_value()) continue;
    known.emplace(name->schema, name->name);
    if (!name->schema.empty()) continue;
    for (const std::string& schema : file.schemas) known.emplace(schema, name->name);
  }
  std::vector<std::string> unread;
  for (const std::string& schema : file.schemas) {
    ASSIGN_OR_RETURN(const pg::Result rows, old_session.Query(R"(
      SELECT c.relname FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
      WHERE s.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                        AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1)",
                                                              {schema}));
    for (int i = 0; i < rows.rows(); ++i) {
      const spec::TableName name = {.schema = schema, .name = rows.str(i, 0)};
      if (!known.contains({name.schema, name.name})) unread.push_back(name.ToString());
    }
  }
  return unread;
}

absl::StatusOr<PlanReport> Describe(const spec::MigrationFile& file,
                                    const mapping::PreparedMapping& compiled,
                                    pg::Session& old_session) {
  PlanReport report = {.migration = file.name,
                       .fingerprint = compiled.plan.fingerprint,
                       .mirror_schema = compiled.plan.mirror_schema,
                       .unread_columns = compiled.plan.unread_columns,
                       .ignored = compiled.plan.ignored};
  for (const mapping::MappingPlan& mapping : compiled.plan.mappings) {
    report.tables.push_back(DescribeTable(mapping));
  }
  for (const mapping::SourcePlan& source : compiled.plan.sources) {
    if (!source.mirrored) continue;
    PlannedMirror mirror{.table = source.schema + "." + source.name,
                         .columns = source.mirror_columns};
    for (const auto& [name, ddl] : source.mirror_indexes) mirror.indexes.push_back(ddl);
    report.mirrors.push_back(std::move(mirror));
  }
  ASSIGN_OR_RETURN(report.unread_tables, UnreadTables(file, compiled.source, old_session));
  return report;
}

struct Compiled {
  std::unique_ptr<pg::Session> old_session;
  mapping::PreparedMapping mapping;
};

absl::StatusOr<Compiled> CompileOnBoth(const spec::MigrationFile& file, const Cancel& cancel) {
  Compiled compiled;
  ASSIGN_OR_RETURN(compiled.old_session, ConnectTo(file.old_db, "old", cancel));
  // Asked for its error alone: this one says which side refuses the login.
  RETURN_IF_ERROR(ConnectTo(file.new_db, "new", cancel).status());
  ASSIGN_OR_RETURN(compiled.mapping,
                   mapping::CompileMapping(file, records::ForwardOf(file), cancel));
  return compiled;
}

}  // namespace

absl::StatusOr<PlanReport> DescribePlan(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const Compiled compiled, CompileOnBoth(file, cancel));
  return Describe(file, compiled.mapping, *compiled.old_session);
}

absl::StatusOr<std::string> DescribePlanSql(const spec::MigrationFile& file, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const Compiled compiled, CompileOnBoth(file, cancel));
  return mapping::PlanSql(compiled.mapping.plan);
}

}  // namespace switchyard::operate
