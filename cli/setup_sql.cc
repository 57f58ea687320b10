#include "cli/setup_sql.h"

#include <memory>

#include "capture/source_setup.h"
#include "cli/connect.h"
#include "common/mapping/catalog.h"

namespace switchyard::cli {
namespace {

// A superuser prints the setup before the role exists; any other login is the role itself.
absl::StatusOr<std::string> DefaultRole(pg::Session& session) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session.Query("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"));
  return row.boolean(0, 1) ? capture::SourceOptions().role : row.str(0, 0);
}

}  // namespace

absl::StatusOr<std::string> SetupSql(const spec::MigrationFile& file, const SetupOptions& options,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.old_db, "old", cancel));
  capture::SourceOptions source = {.names = capture::NamesOf(file.name, "forward"),
                                   .role = options.capture_role};
  if (source.role.empty()) {
    ASSIGN_OR_RETURN(source.role, DefaultRole(*session));
  }
  ASSIGN_OR_RETURN(const mapping::Catalog catalog,
                   mapping::LoadCatalog(*session, mapping::SourceTables(file.forward),
                                        {.schemas = file.schemas}));
  return capture::SourceSetupSql(source, catalog);
}

}  // namespace switchyard::cli
