#include "replayer/target/write_path.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/base/strings.h"
#include "common/mapping/own_code.h"

namespace switchyard::replayer {
namespace {

// The role's and database's, but for what would stand before pg_catalog in it: an application's
// `lower` is not found in place of Postgres' own by the statements of a plan.
absl::Status SetOwnPath(pg::Session& session) {
  RETURN_IF_ERROR(session.Execute("SET search_path TO DEFAULT"));
  ASSIGN_OR_RETURN(const pg::Result path, session.Query("SHOW search_path"));
  if (!absl::StrContains(Sv(path.text(0, 0)), "pg_catalog")) return absl::OkStatus();
  return session.Execute(absl::StrCat("SET search_path = pg_catalog, ", Sv(path.text(0, 0))));
}

}  // namespace

absl::Status SetWritePath(pg::Session& session, const mapping::Plan& plan, bool silent) {
  std::vector<std::string> tables;
  for (const mapping::MappingPlan& mapping : plan.mappings) tables.push_back(mapping.target);
  ASSIGN_OR_RETURN(const pg::Result own, session.Query(mapping::RunsOwnCodeSql(tables, silent)));
  if (own.boolean(0, 0)) return SetOwnPath(session);
  return plan.calls_functions_by_path ? session.Execute("SET search_path = " + plan.search_path)
                                      : absl::OkStatus();
}

}  // namespace switchyard::replayer
