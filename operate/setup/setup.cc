#include "operate/setup/setup.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

absl::StatusOr<std::string> TargetSql(const records::Stream& stream, pg::Session& session,
                                      const std::string& role) {
  ASSIGN_OR_RETURN(const catalog::Catalog catalog,
                   catalog::LoadCatalog(session, TablesOfNew(*stream.mapping), {}));
  if (!catalog.missing.empty()) {
    const bool forward = stream.direction == records::Direction::kForward;
    return Refuse(
        absl::StrCat(forward ? "NEW" : "OLD", " has no table ", catalog.missing[0].ToString()),
        forward ? "make NEW's tables first, then run switchyard check FILE"
                : "correct its name under `reverse`, then run switchyard check FILE");
  }
  return mapping::TargetOwnerSql({.stream = stream, .role = role, .captured = stream.paired},
                                 catalog);
}

}  // namespace

absl::StatusOr<SetupReport> OldSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.old_db, "old", cancel));
  capture::SourceOptions source = {.stream = records::ForwardOf(file),
                                   .failover = file.capture.failover.value_or(false)};
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, LoadSourceCatalog(source.stream, *session));
  ASSIGN_OR_RETURN(source.role, RoleFor(*session, role, source.role, catalog));
  SetupReport report = {.migration = file.name};
  ASSIGN_OR_RETURN(report.sql, capture::SourceSetupSql(source, catalog));
  if (!file.reverse.has_value()) return report;
  if (session->server_version() < mapping::kTargetVersionMin) {
    return Refuse(absl::StrCat("the file has reverse, which writes OLD, and that is Postgres ",
                               session->server_version() / 10000),
                  "upgrade OLD to 14 or newer, or take reverse out of the file");
  }
  ASSIGN_OR_RETURN(const std::string more,
                   TargetSql(records::ReverseOf(file), *session, source.role));
  absl::StrAppend(&report.sql, "\n", more);
  return report;
}

absl::StatusOr<SetupReport> NewSetup(const spec::MigrationFile& file, const std::string& role,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> session,
                   ConnectTo(file.new_db, "new", cancel));
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const catalog::Catalog catalog,
                   catalog::LoadCatalog(*session, TablesOfNew(*stream.mapping), {}));
  ASSIGN_OR_RETURN(const std::string name,
                   RoleFor(*session, role, mapping::TargetOptions().role, catalog));
  SetupReport report = {.migration = file.name};
  ASSIGN_OR_RETURN(report.sql, TargetSql(stream, *session, name));
  if (!file.reverse.has_value()) return report;
  const capture::SourceOptions source = {.stream = records::ReverseOf(file), .role = name};
  ASSIGN_OR_RETURN(const catalog::Catalog read, LoadSourceCatalog(source.stream, *session));
  ASSIGN_OR_RETURN(const std::string more, capture::SourceSetupSql(source, read));
  absl::StrAppend(&report.sql, "\n", more);
  return report;
}

}  // namespace switchyard::operate
