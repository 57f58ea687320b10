#include "cli/commands/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::cli {
namespace {

constexpr char kHome[] = "\x1b[H";
constexpr char kClearLine[] = "\x1b[K";
constexpr char kClearBelow[] = "\x1b[J";
constexpr char kReset[] = "\x1b[0m";

// `line` in `columns` characters, escape sequences not counted; ">" stands where it was cut.
std::string CutLine(std::string_view line, int columns) {
  std::string out;
  std::string shorter;  // a character less, should there be too many
  int used = 0;
  bool escape = false;
  bool colored = false;
  for (const char c : line) {
    if (c == '\x1b') escape = colored = true;
    const bool begins_character = !escape && (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (begins_character && ++used == columns) shorter = out;
    if (used > columns) return shorter + (colored ? kReset : "") + ">";
    out += c;
    if (escape && c == 'm') escape = false;
  }
  return out;
}

}  // namespace

Terminal AskTerminal() {
  Terminal terminal;
  if (isatty(STDOUT_FILENO) == 0) return terminal;
  terminal.present = true;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  terminal.color = (no_color == nullptr || *no_color == '\0') && !dumb;
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    terminal.columns = size.ws_col;
    terminal.rows = size.ws_row;
  }
  return terminal;
}

std::string ScreenOver(std::string_view text, int columns, int rows) {
  std::vector<std::string> lines = absl::StrSplit(Sv(text), '\n');
  if (lines.back().empty()) lines.pop_back();
  const auto room =
      static_cast<size_t>(std::max(rows - 1, 1));  // a newline in the last row scrolls
  if (lines.size() > room) {
    const size_t left_out = lines.size() - (room - 1);
    lines.resize(room);
    lines.back() = absl::StrCat("... and ", left_out, " more lines");
  }
  std::string out = kHome;
  for (const std::string& line : lines) {
    absl::StrAppend(&out, CutLine(line, columns), kClearLine, "\n");
  }
  return out + kClearBelow;
}

}  // namespace switchyard::cli
