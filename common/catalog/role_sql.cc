#include "common/catalog/role_sql.h"

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::catalog {

std::string CreateRoleSql(std::string_view role, std::string_view attributes) {
  const std::string create =
      absl::StrCat("CREATE ROLE ", QuoteIdentifier(role), " ", Sv(attributes));
  // The body of DO is one literal, so that no name can end it.
  const std::string body = absl::StrFormat(
      R"(BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %s) THEN
    %s;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE insufficient_privilege USING
    MESSAGE = current_user || ' may not make the role: ' || SQLERRM,
    HINT = %s;
END)",
      QuoteLiteral(role), create,
      QuoteLiteral(absl::StrCat("A superuser runs: ", create, "; then run this again.")));
  return absl::StrFormat("-- The role. Give it a password: \\password %s\nDO %s;\n",
                         QuoteIdentifier(role), QuoteLiteral(body));
}

}  // namespace switchyard::catalog
