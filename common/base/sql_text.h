// SQL with a placeholder in it, made by us around pieces that others wrote.
#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// `sql` with `value` wherever `placeholder` stands outside of literals, quoted names and comments.
// A placeholder in braces stands nowhere else in the pieces, for it is no SQL.
std::string ReplaceInSql(std::string_view sql, std::string_view placeholder,
                         std::string_view value);

}  // namespace switchyard
