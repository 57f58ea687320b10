#include "common/records/cutover/fence_sql.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "deploy/sql/fence.sql.h"

namespace switchyard::records {

std::string FenceSetupSql(const FenceSetup& setup) {
  return absl::StrCat(
      kFenceSql,
      absl::StrFormat(
          "\nSELECT switchyard.fence_begin(%1$s, ARRAY[%2$s]);\n"
          "GRANT EXECUTE ON FUNCTION switchyard.fence_lock(text),\n"
          "  switchyard.fence_close(text, bigint, text), switchyard.fence_open(text, bigint),\n"
          "  switchyard.fence_rest(text, oid) TO %3$s;\n"
          "GRANT SELECT ON SEQUENCE %4$s TO %3$s;\n",
          QuoteLiteral(setup.migration), QuoteLiteral(setup.role), QuoteIdentifier(setup.role),
          QuoteQualified("switchyard", absl::StrCat("fence_refused_", setup.migration))));
}

std::string FenceTablesSql(const FenceSetup& setup) {
  std::string sql =
      "\n-- The triggers of the fence, which do nothing yet. One table at a time, so that nobody "
      "dies of\n"
      "-- a deadlock: \"canceling statement due to lock timeout\" means that its writers take "
      "long; run\n"
      "-- this again.\n"
      "SET lock_timeout = '500ms';\n";
  for (const std::string& table : setup.tables) {
    absl::StrAppendFormat(&sql, "SELECT switchyard.fence_table(%s, %s::regclass, %s);\n",
                          QuoteLiteral(setup.migration), QuoteLiteral(table),
                          setup.statements ? "true" : "false");
  }
  return absl::StrCat(sql, "RESET lock_timeout;\n");
}

}  // namespace switchyard::records
