// The one place where std::string_view and Debian 12's own absl::string_view meet, and the few
// string helpers the tree shares.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace switchyard {

// For StrCat, hash look-ups and the rest of abseil.
inline absl::string_view Sv(std::string_view s) { return absl::string_view(s.data(), s.size()); }
// What abseil returned, for our own signatures.
template <typename T>
inline std::string_view StdSv(const T& s) {
  return std::string_view(s.data(), s.size());
}

// A SQL identifier, always quoted: users -> "users", a"b -> "a""b".
std::string QuoteIdentifier(std::string_view name);
// schema.table with both parts quoted.
std::string QuoteQualified(std::string_view schema, std::string_view name);
// A SQL literal with standard_conforming_strings on: it's -> 'it''s'.
std::string QuoteLiteral(std::string_view text);
// A Postgres array in text form, every element quoted: {"a","it's","x\"y"}. For a parameter.
std::string ArrayLiteral(const std::vector<std::string>& elements);

// The first `bytes_max` bytes, or fewer: never ending within a UTF-8 character.
std::string_view CutUtf8(std::string_view text, size_t bytes_max);

// "1.4 GB", "312 kB": for people.
std::string HumanBytes(int64_t bytes);

// The member of `known` nearest to `word` by edit distance, or "" when none is close.
template <typename Container>
std::string NearestWord(std::string_view word, const Container& known);

int EditDistance(std::string_view a, std::string_view b);

template <typename Container>
std::string NearestWord(std::string_view word, const Container& known) {
  std::string best;
  int best_distance = static_cast<int>(word.size()) / 3 + 2;
  for (const auto& candidate : known) {
    const int distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::string(candidate);
    }
  }
  return best;
}

}  // namespace switchyard
