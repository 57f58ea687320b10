#include "replayer/target/write_path.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/mapping/own_code.h"

namespace switchyard::replayer {
namespace {

// The role's and database's, but for what would stand before pg_catalog in it: an application's
// `lower` is not found in place of Postgres' own by the statements of a plan.
absl::StatusOr<std::string> OwnPath(pg::Session& session) {
  ASSIGN_OR_RETURN(const pg::Result path,
                   session.Query("SELECT reset_val FROM pg_settings WHERE name = 'search_path'"));
  return absl::StrContains(Sv(path.text(0, 0)), "pg_catalog")
             ? absl::StrCat("pg_catalog, ", Sv(path.text(0, 0)))
             : "DEFAULT";
}

}  // namespace

absl::StatusOr<std::string> WritePath(pg::Session& session, const mapping::Plan& plan,
                                      bool silent) {
  std::vector<std::string> tables;
  for (const mapping::MappingPlan& mapping : plan.mappings) tables.push_back(mapping.target);
  ASSIGN_OR_RETURN(const pg::Result own, session.Query(mapping::RunsOwnCodeSql(tables, silent)));
  if (own.boolean(0, 0)) return OwnPath(session);
  return plan.calls_functions_by_path ? plan.search_path : "";
}

}  // namespace switchyard::replayer
