#include "verify/column_types.h"

#include "common/base/strings.h"

namespace switchyard::verify {

absl::StatusOr<ColumnTypes> LoadColumnTypes(pg::Session& target,
                                            const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Result rows, target.Query(R"(
    WITH RECURSIVE over(name, attname, type, modifier) AS (
      SELECT n.name, a.attname, a.atttypid, a.atttypmod
      FROM unnest($1::text[]) AS n(name)
      JOIN pg_attribute a ON a.attrelid = to_regclass(n.name)
      WHERE a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT o.name, o.attname, t.typbasetype, t.typtypmod
      FROM over o JOIN pg_type t ON t.oid = o.type WHERE t.typtype = 'd')
    SELECT o.name, o.attname, format_type(o.type, o.modifier)
    FROM over o JOIN pg_type t ON t.oid = o.type WHERE t.typtype <> 'd')",
                                                       {ArrayLiteral(tables)}));
  ColumnTypes types;
  for (int i = 0; i < rows.rows(); ++i) types[rows.str(i, 0)][rows.str(i, 1)] = rows.str(i, 2);
  return types;
}

}  // namespace switchyard::verify
