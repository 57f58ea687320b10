// The terminal that a command may be writing to.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::cli {

struct Terminal {
  bool present = false;  // standard output is one
  bool color = false;    // and colours are wanted (NO_COLOR is not set, TERM is not "dumb")
  int columns = 80;
  int rows = 24;
};

// As it is now; the window may change its size.
Terminal AskTerminal();

// `text` as one screen, drawn over the last one without a flicker: from the top left corner, each
// line cut to `columns` with a ">", at most `rows` lines with a last one that counts those left
// out, the rest cleared. Escape sequences in `text` take no room.
std::string ScreenOver(std::string_view text, int columns, int rows);

}  // namespace switchyard::cli
