#include "common/pg/kept_result.h"

#include <libpq-fe.h>

#include "common/base/check.h"

namespace switchyard::pg {

Result KeptResult(const std::vector<KeptColumn>& columns,
                  const std::vector<std::vector<std::optional<std::string>>>& rows) {
  std::vector<PGresAttDesc> described;
  for (const KeptColumn& column : columns) {
    described.push_back({.name = const_cast<char*>(column.name.c_str()),
                         .tableid = column.plain ? 1U : 0U,
                         .columnid = 0,
                         .format = 0,
                         .typid = column.type,
                         .typlen = -1,
                         .atttypmod = column.modifier});
  }
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  SY_CHECK(PQsetResultAttrs(result, static_cast<int>(described.size()), described.data()) == 1);
  for (size_t row = 0; row < rows.size(); ++row) {
    SY_CHECK(rows[row].size() == columns.size());
    for (size_t column = 0; column < columns.size(); ++column) {
      const std::optional<std::string>& value = rows[row][column];
      SY_CHECK(PQsetvalue(result, static_cast<int>(row), static_cast<int>(column),
                          value ? const_cast<char*>(value->c_str()) : nullptr,
                          value ? static_cast<int>(value->size()) : -1) == 1);
    }
  }
  return Result(result);
}

}  // namespace switchyard::pg
