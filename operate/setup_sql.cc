#include "operate/setup_sql.h"

#include <memory>

#include "capture/source_setup.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/mapping/install/target_setup.h"
#include "operate/connect.h"
#include "operate/mapping_plan.h"

namespace switchyard::operate {
namespace {

// A superuser prints the setup before the role exists; any other login is the role itself.
absl::StatusOr<std::string> RoleFor(pg::Session& session, const std::string& asked,
                                    const std::string& usual) {
  if (!asked.empty()) return asked;
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session.Query("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"));
  return row.boolean(0, 1) ? usual : row.str(0, 0);
}

}  // namespace

absl::StatusOr<std::string> OldSetupSql(const spec::MigrationFile& file, const std::string& role,
                                        const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.old_db, "old", cancel));
  capture::SourceOptions source = {.names = capture::NamesOf(file.name, "forward")};
  ASSIGN_OR_RETURN(source.role, RoleFor(*session, role, source.role));
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, LoadSourceCatalog(file, *session));
  return capture::SourceSetupSql(source, catalog);
}

absl::StatusOr<std::string> NewSetupSql(const spec::MigrationFile& file, const std::string& role,
                                        const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.new_db, "new", cancel));
  mapping::TargetOptions target = {.stream = capture::NamesOf(file.name, "forward").stream};
  ASSIGN_OR_RETURN(target.role, RoleFor(*session, role, target.role));
  ASSIGN_OR_RETURN(const catalog::Catalog catalog,
                   catalog::LoadCatalog(*session, TablesOfNew(file.forward), {}));
  if (!catalog.missing.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("NEW has no table ", catalog.missing[0].ToString(),
                     "; make NEW's tables first, then run switchyard check FILE"));
  }
  return mapping::TargetOwnerSql(target, file.forward, catalog);
}

}  // namespace switchyard::operate
