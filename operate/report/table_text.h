// Aligned columns for a terminal. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::operate {

// Columns a terminal needs for UTF-8 text, taking every character as one.
size_t TextWidth(std::string_view text);

enum class Align { kLeft, kRight };

// Rows of cells with two blanks between the columns, `indent` before them, '\n' after each row. No
// blanks at a row's end. Rows may be shorter than `align`.
std::string AlignColumns(const std::vector<std::vector<std::string>>& rows,
                         const std::vector<Align>& align, size_t indent);

}  // namespace switchyard::operate
