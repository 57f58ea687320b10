#include "cli/plan.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/plan_sql.h"
#include "common/spec/values.h"
#include "operate/connect.h"
#include "operate/report/plan_report.h"

namespace switchyard::cli {
namespace {

operate::PlannedTable DescribeTable(const mapping::MappingPlan& mapping) {
  return {.table = mapping.display,
          .row_local = mapping.row_local,
          .reads = mapping.reads_sources,
          .why_keyed = mapping.row_local ? "" : mapping.why_keyed,
          .scope = mapping.row_local ? std::vector<std::string>() : mapping.keyed.scope_columns,
          .columns = mapping.columns,
          .owns = mapping.owns};
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

absl::StatusOr<operate::PlanReport> Describe(const spec::MigrationFile& file,
                                             const mapping::PreparedMapping& compiled,
                                             pg::Session& old_session) {
  operate::PlanReport report = {.migration = file.name,
                                .fingerprint = compiled.plan.fingerprint,
                                .unread_columns = compiled.plan.unread_columns,
                                .ignored = compiled.plan.ignored};
  for (const mapping::MappingPlan& mapping : compiled.plan.mappings) {
    report.tables.push_back(DescribeTable(mapping));
  }
  for (const mapping::SourcePlan& source : compiled.plan.sources) {
    if (!source.mirrored) continue;
    operate::PlannedMirror mirror{.table = source.schema + "." + source.name,
                                  .columns = source.mirror_columns};
    for (const auto& [name, ddl] : source.mirror_indexes) mirror.indexes.push_back(ddl);
    report.mirrors.push_back(std::move(mirror));
  }
  ASSIGN_OR_RETURN(report.unread_tables, UnreadTables(file, compiled.source, old_session));
  return report;
}

absl::StatusOr<ExitCode> RunPlan(const std::string& path, bool sql, const Context& context) {
  if (sql && context.json) {
    return absl::InvalidArgumentError("plan --sql prints SQL; next: leave out --json or --sql");
  }
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> old_session,
                   operate::ConnectTo(file.old_db, "old", context.cancel));
  // Asked for its error alone: this one says which side refuses the login.
  RETURN_IF_ERROR(operate::ConnectTo(file.new_db, "new", context.cancel).status());
  ASSIGN_OR_RETURN(const mapping::PreparedMapping compiled,
                   mapping::CompileMapping(file, mapping::ForwardRole(file), context.cancel));
  if (sql) {
    context.out << mapping::PlanSql(compiled.plan);
    return ExitCode::kDone;
  }
  ASSIGN_OR_RETURN(const operate::PlanReport report, Describe(file, compiled, *old_session));
  context.out << (context.json ? PlanReportJson(report) : PlanReportText(report));
  return ExitCode::kDone;
}

}  // namespace

void AddPlan(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "plan", "Show how each table of NEW comes about, what is mirrored and what nobody reads");
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "The migration file")->required()->type_name("");
  auto sql = std::make_shared<bool>(false);
  command->add_flag("--sql", *sql, "Print every statement that NEW will run, instead");
  command->footer(
      "Asks both databases, changes nothing.\n"
      "Examples:\n"
      "  switchyard plan studio.yaml\n"
      "  switchyard plan studio.yaml --sql\n"
      "  switchyard plan studio.yaml --json | jq -r '.unread_columns[]'");
  command->callback([path, sql, chosen] {
    *chosen = [path, sql](const Context& context) { return RunPlan(*path, *sql, context); };
  });
}

}  // namespace switchyard::cli
