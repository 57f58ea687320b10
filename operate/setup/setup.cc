#include "operate/setup/setup.h"

#include <memory>
#include <string>
#include <vector>

#include "capture/source/source_setup.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/mapping/install/target_setup.h"
#include "common/records/stream/stream.h"
#include "operate/connect.h"
#include "operate/mapping_plan.h"

namespace switchyard::operate {
namespace {

// A superuser or an owner prints the setup for a role that may not be there yet; any other login is
// the role itself, and so is an owner who may replicate.
absl::StatusOr<std::string> RoleFor(pg::Session& session, const std::string& asked,
                                    const std::string& usual, const catalog::Catalog& catalog) {
  if (!asked.empty()) return asked;
  std::vector<std::string> oids;
  for (const catalog::Table& table : catalog.tables) oids.push_back(std::to_string(table.oid));
  ASSIGN_OR_RETURN(const pg::Result row, session.Query(R"(
    SELECT rolname, rolsuper OR NOT rolreplication AND EXISTS (
             SELECT FROM pg_class WHERE relowner = r.oid AND pg_class.oid = ANY($1::oid[]))
    FROM pg_roles r WHERE rolname = current_user)",
                                                       {ArrayLiteral(oids)}));
  return row.boolean(0, 1) ? usual : row.str(0, 0);
}

}  // namespace

absl::StatusOr<SetupReport> OldSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.old_db, "old", cancel));
  capture::SourceOptions source = {.stream = records::ForwardOf(file),
                                   .failover = file.capture.failover.value_or(false)};
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, LoadSourceCatalog(file, *session));
  ASSIGN_OR_RETURN(source.role, RoleFor(*session, role, source.role, catalog));
  SetupReport report = {.migration = file.name};
  ASSIGN_OR_RETURN(report.sql, capture::SourceSetupSql(source, catalog));
  return report;
}

absl::StatusOr<SetupReport> NewSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.new_db, "new", cancel));
  mapping::TargetOptions target = {.stream = records::ForwardOf(file)};
  ASSIGN_OR_RETURN(const catalog::Catalog catalog,
                   catalog::LoadCatalog(*session, TablesOfNew(*target.stream.mapping), {}));
  ASSIGN_OR_RETURN(target.role, RoleFor(*session, role, target.role, catalog));
  if (!catalog.missing.empty()) {
    return Refuse("NEW has no table " + catalog.missing[0].ToString(),
                  "make NEW's tables first, then run switchyard check FILE");
  }
  return SetupReport{.migration = file.name, .sql = mapping::TargetOwnerSql(target, catalog)};
}

}  // namespace switchyard::operate
