// SQL for what is shown of rows that are kept as JSON: columns whose values nobody is shown give
// their digests, and the values themselves stay in the database.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::records {

// Of `rows`, an expression of type jsonb (NULL: no row), a row of `table`, a text ("schema.name"),
// or an array of such rows: columns for which `names`, a text[], has "schema.name|column" or
// "schema.name|*" give "sha256:" and the first half of sha256(convert_to(value::text, 'UTF8')).
std::string ShownValuesSql(std::string_view rows, std::string_view table, std::string_view names);

}  // namespace switchyard::records
