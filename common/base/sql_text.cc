#include "common/base/sql_text.h"

#include <algorithm>

namespace switchyard {
namespace {

// Of a name; bytes of other alphabets among them.
bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Behind `end`, or all of it where that is missing.
size_t Behind(std::string_view sql, std::string_view end, size_t from) {
  const size_t at = sql.find(end, from);
  return at == std::string_view::npos ? sql.size() : at + end.size();
}

size_t EndOfQuotes(std::string_view sql, size_t begin) {
  const char quote = sql[begin];
  const bool escapes = quote == '\'' && begin > 0 && (sql[begin - 1] | 0x20) == 'e' &&
                       (begin == 1 || !IsWord(sql[begin - 2]));
  for (size_t i = begin + 1; i < sql.size(); ++i) {
    if (escapes && sql[i] == '\\') {
      ++i;
    } else if (sql[i] == quote) {
      if (i + 1 == sql.size() || sql[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return sql.size();
}

size_t EndOfComment(std::string_view sql, size_t begin) {
  int depth = 0;
  size_t i = begin;
  do {
    const std::string_view two = sql.substr(i, 2);
    if (two == "/*" || two == "*/") {
      depth += two == "/*" ? 1 : -1;
      ++i;
    }
    ++i;
  } while (depth > 0 && i < sql.size());
  return std::min(i, sql.size());
}

// $$...$$ and $tag$...$tag$; `begin` for a parameter.
size_t EndOfDollars(std::string_view sql, size_t begin) {
  if (begin > 0 && IsWord(sql[begin - 1])) return begin;
  size_t end = begin + 1;
  while (end < sql.size() && IsWord(sql[end])) ++end;
  if (end == sql.size() || sql[end] != '$') return begin;
  return Behind(sql, sql.substr(begin, end + 1 - begin), end + 1);
}

// Of the literal, quoted name or comment that begins there; `begin`: none does.
size_t EndOfQuoted(std::string_view sql, size_t begin) {
  const std::string_view rest = sql.substr(begin, 2);
  if (rest[0] == '\'' || rest[0] == '"') return EndOfQuotes(sql, begin);
  if (rest[0] == '$') return EndOfDollars(sql, begin);
  if (rest == "--") return Behind(sql, "\n", begin);
  if (rest == "/*") return EndOfComment(sql, begin);
  return begin;
}

}  // namespace

std::string ReplaceInSql(std::string_view sql, std::string_view placeholder,
                         std::string_view value) {
  std::string out;
  for (size_t i = 0; i < sql.size();) {
    const size_t end = EndOfQuoted(sql, i);
    if (end > i) {
      out += sql.substr(i, end - i);
      i = end;
    } else if (sql.substr(i).starts_with(placeholder)) {
      out += value;
      i += placeholder.size();
    } else {
      out += sql[i++];
    }
  }
  return out;
}

}  // namespace switchyard
